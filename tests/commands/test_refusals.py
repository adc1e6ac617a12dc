"""Refusals: each prints one clear sentence on stderr, has its exit code, shows no traceback and changes
nothing.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.support.account import keys_of_another_account, standing
from tests.support.command import Command
from tests.support.loopback import HTML, ec2_error, endpoint, http
from tier1_engine.sandbox.catalogue import IMAGES

NOWHERE = "http://127.0.0.1:1"
EXPIRED = http(
    403,
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token is "
    b"expired.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>",
)


def nothing_is_on_record(tier1: Command) -> None:
    assert tier1("list", "-o", "json").json == []


class TestBeforeARowExists:
    def test_missing_credentials(self, tier1_here: Command, aws: str) -> None:
        """It exits with 7 and says how to sign in."""
        nobody = tier1_here.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        nobody("deploy", tier1_here.spec()).refused(7, "credentials", "AWS_PROFILE")
        nothing_is_on_record(tier1_here)
        assert standing(aws) == {}

    def test_a_profile_that_does_not_exist(self, tier1_here: Command) -> None:
        """It is named, because keys in the environment would take precedence over it."""
        nobody = tier1_here.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        nobody("deploy", tier1_here.spec(), AWS_PROFILE="no-such-profile").refused(7, "no-such-profile")

    def test_expired_credentials(self, tier1_here: Command) -> None:
        """It exits with 7 and says to sign in again."""
        with endpoint(EXPIRED) as served:
            tier1_here("deploy", tier1_here.spec(), AWS_ENDPOINT_URL=served.url).refused(
                7, "ExpiredToken", "sign in"
            )
        nothing_is_on_record(tier1_here)

    def test_an_endpoint_that_refuses_the_connection(self, tier1_here: Command) -> None:
        """It exits with 7 at once and names the URL."""
        tier1_here("deploy", tier1_here.spec(), AWS_ENDPOINT_URL=NOWHERE).refused(7, NOWHERE, "start it")
        nothing_is_on_record(tier1_here)

    def test_an_endpoint_that_answers_html(self, tier1_here: Command) -> None:
        """It exits with 7: the endpoint does not respond like AWS."""
        with endpoint(http(200, HTML, kind="text/html")) as served:
            tier1_here("deploy", tier1_here.spec(), AWS_ENDPOINT_URL=served.url).refused(
                7, "does not respond like AWS"
            )
        nothing_is_on_record(tier1_here)

    def test_a_read_that_aws_denies(self, tier1_here: Command) -> None:
        """It exits with 2 and names code and operation."""
        with endpoint(ec2_error(403, "AccessDenied")) as served:
            refused = tier1_here("deploy", tier1_here.spec(), AWS_ENDPOINT_URL=served.url)
        refused.refused(2, "AccessDenied", "GetCallerIdentity")

    def test_an_endpoint_for_one_service_only(self, tier1_here: Command) -> None:
        """It exits with 2: a row stores no endpoint of a single service."""
        refused = tier1_here("deploy", tier1_here.spec(), AWS_ENDPOINT_URL_EC2=NOWHERE)
        refused.refused(2, "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL instead")

    @pytest.mark.field_case(
        "skypilot-org/skypilot#6315, eksctl-io/eksctl#8235: the wrong architecture is found at the launch"
    )
    def test_an_image_of_another_architecture(self, tier1_here: Command, aws: str) -> None:
        """The survey refuses it with 2, and nothing is created."""
        arm = next(id for id, image in IMAGES.items() if image.architecture == "arm64")
        spec = Path(tier1_here.spec())
        spec.write_text(spec.read_text().replace("market: on-demand", f"market: on-demand, ami: {arm}"))
        refused = tier1_here("deploy", str(spec))
        refused.refused(
            2, f"instance.ami: {arm} is for arm64, but t3.medium is x86_64; use an AMI for x86_64"
        )
        nothing_is_on_record(tier1_here)
        assert standing(aws) == {}

    def test_a_referenced_subnet_that_does_not_exist(self, tier1_here: Command, aws: str) -> None:
        """The survey refuses it with 2, and nothing is created."""
        network = "network: {vpc_id: vpc-0123456789abcdef0, subnet_ids: [subnet-0123456789abcdef0]}\n"
        refused = tier1_here("deploy", tier1_here.spec(more=network))
        assert refused.code == 2
        assert "network.vpc_id: The VPC vpc-0123456789abcdef0" in refused.err
        nothing_is_on_record(tier1_here)
        assert standing(aws) == {}


class TestTheSpec:
    @pytest.mark.parametrize(
        ("content", "word"),
        [
            ("", "empty"),
            ("name: demo\nregion: us-east-1\nnetwerk: {}\n", "network"),
            ("name: !!python/object:os.system {}\nregion: us-east-1\n", "tag"),
        ],
    )
    def test_an_invalid_spec(self, newcomer: Command, content: str, word: str) -> None:
        """It exits with 2, names file and key, and creates no database."""
        path = newcomer.folder / "bad.yaml"
        path.write_text(content, encoding="utf-8")
        newcomer.here("deploy", str(path)).refused(2, "bad.yaml", word)
        assert not newcomer.database.exists()

    def test_a_missing_spec(self, tier1_here: Command) -> None:
        """It exits with 2 and names the path."""
        tier1_here("deploy", "nowhere.yaml").refused(2, "nowhere.yaml")
        tier1_here("deploy", ".").refused(2, "directory")


class TestTheDatabase:
    def test_a_folder_that_cannot_be_created(self, tier1_here: Command, aws: str) -> None:
        """It exits with 9 and says what to fix. (A file is in the folder's place: root may write
        everywhere.)
        """
        (tier1_here.folder / "file").touch()
        url = f"sqlite:///{tier1_here.folder}/file/tier1.db"
        for command in (("list",), ("deploy", tier1_here.spec())):
            tier1_here(*command, TIER1_DATABASE_URL=url).refused(9, "cannot be written", "TIER1_DATABASE_URL")
        assert standing(aws) == {}

    def test_a_file_that_is_no_database(self, tier1_here: Command) -> None:
        """It exits with 9 and leaves the file unchanged."""
        path = tier1_here.folder / "letter.db"
        path.write_text("Dear database, " * 400, encoding="utf-8")
        tier1_here("list", TIER1_DATABASE_URL=f"sqlite:///{path}").refused(9, "not a SQLite database")
        assert path.read_text(encoding="utf-8").startswith("Dear database")

    def test_a_later_schema(self, tier1_here: Command) -> None:
        """It exits with 2 and names both revisions."""
        with sqlite3.connect(tier1_here.database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        tier1_here("list").refused(2, "9999", "newer")
        tier1_here("deploy", tier1_here.spec()).refused(2, "9999", "newer")

    @pytest.mark.parametrize("url", ["mysql://root@localhost/x", "sqlite://"])
    def test_an_invalid_url(self, tier1_here: Command, url: str) -> None:
        """It exits with 2 and says how to write one."""
        tier1_here("list", TIER1_DATABASE_URL=url).refused(2, "TIER1_DATABASE_URL", "sqlite:///FILE")

    def test_a_postgres_that_does_not_answer(self, tier1_here: Command) -> None:
        """It exits with 9 and does not print the password."""
        url = "postgresql://tier1:hidden@127.0.0.1:1/tier1"
        refused = tier1_here("list", TIER1_DATABASE_URL=url)
        refused.refused(9, "cannot be reached")
        assert "hidden" not in refused.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TIER1_POLL_SECONDS", "soon"), ("TIER1_LEASE_SECONDS", "1")],
)
def test_an_invalid_setting_is_refused_by_name(tier1_here: Command, variable: str, value: str) -> None:
    """It exits with 2 before anything else happens."""
    tier1_here("list", **{variable: value}).refused(2, variable)


def test_options_that_exclude_each_other_are_refused(tier1_here: Command) -> None:
    """It exits with 2, like every other usage error."""
    assert tier1_here("resume", "demo", "--retry", "--rollback").code == 2
    assert tier1_here("deploy").code == 2
    assert tier1_here("deploy", "x.yaml", "--on-recoverable", "pray").code == 2


def test_a_bug_is_reported_in_a_sentence_and_its_traceback_is_saved(tier1: Command) -> None:
    """It exits with 1 and says where the traceback is; that file is private."""
    broken = tier1.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import tier1_engine.settings as s\ns.from_environment = lambda: 1 / 0\n", encoding="utf-8"
    )
    path = f"{broken}:{tier1.environment['PYTHONPATH']}"
    tier1("list", PYTHONPATH=path).refused(1, "bug", "ZeroDivisionError")
    (trace,) = (tier1.folder / "state" / "tier1").glob("defect-*.txt")
    assert "ZeroDivisionError" in trace.read_text(encoding="utf-8")
    assert trace.stat().st_mode & 0o777 == 0o600


class TestOnceARowExists:
    def test_the_row_decides_where_the_deployment_is(self, tier1: Command) -> None:
        """Another endpoint, region or service endpoint in the environment does not move it."""
        tier1.active()
        elsewhere = {"AWS_ENDPOINT_URL": NOWHERE, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_EC2": NOWHERE}
        assert tier1("destroy", "demo", **elsewhere).code == 0

    def test_another_account_is_refused_and_can_be_corrected(self, tier1: Command, aws: str) -> None:
        """It exits with 7 and deletes nothing; with the right credentials the same request continues."""
        tier1.deployed()
        visitor = keys_of_another_account(aws, "222222222222")
        blocked = tier1("destroy", "demo", "-o", "json", **visitor)
        assert (blocked.code, blocked.json["state"], blocked.json["goal"]) == (7, "destroying", "destroyed")
        assert standing(aws)["instances"] == 1
        assert tier1("resume", "demo", **visitor).code == 7
        for command in (("list",), ("show", "demo"), ("guide", "demo"), ("log", "demo")):
            assert "blocked" in (said := tier1(*command).out), said
            assert "WrongAccount: these credentials belong to 222222222222" in " ".join(said.split()), said
        assert tier1.show("demo")["blocked"].keys() == {"code", "message", "operation", "at"}
        assert tier1("resume", "demo").code == 0
        assert tier1.show("demo")["blocked"] is None
        assert standing(aws) == {}

    def test_missing_credentials_block_and_can_be_corrected(self, tier1: Command) -> None:
        """A resume exits with 7 too, and later continues from the same point. Who asked has no ARN then."""
        tier1.active()
        nobody = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        assert nobody("destroy", "demo").code == 7
        assert tier1.show("demo")["asked_by"]["arn"] is None
        assert nobody("resume", "demo").code == 7
        assert tier1("resume", "demo").code == 0
        assert tier1.show("demo")["asked_by"]["arn"] is not None
