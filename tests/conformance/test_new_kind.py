"""A kind is one file: tier1 handles a kind that it has never seen by that file alone.

The tests install a package with only the kind and a blueprint that uses two of it, registered by entry
points. The conformance suite checks that the kind keeps the contract.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import tier1_engine
from tests.support import elastic_ip
from tests.support.account import client
from tests.support.command import Command, Warm
from tests.support.elastic_ip import ElasticIp
from tests.support.shell import Shell, put_programs
from tests.support.sweeps import without_reply
from tier1_engine.contract.kind import TAG_RESOURCE

ADDRESSES_PER_ACCOUNT = 5
"""The quota of the local AWS, which is that of a new AWS account."""
FAULTY = """

def _fail(*_):
    print("a careless package prints")
    raise SystemExit(3)

for _name in ("price", "fields", "console_url", "commands", "recipe", "candidates"):
    setattr(ElasticIp, _name, _fail)
"""
BLUEPRINT = """
from tier1_engine.contract.blueprint import Blueprint
from tier1_engine.deployment.plan import StepPlan
from tier1_engine.deployment.states import Phase
from tier1_engine.spec.base import BaseSpec

class TwoAddresses(Blueprint[BaseSpec]):
    name = "two-addresses"
    spec_model = BaseSpec

    def steps(self, spec, survey):
        return (
            StepPlan("one", Phase.NETWORK, "elastic_ip"),
            StepPlan("other", Phase.NETWORK, "elastic_ip", needs=("one",)),
        )
"""
ENTRY_POINTS = """[tier1_engine.kinds]
elastic_ip = two_addresses.kind:ElasticIp
[tier1_engine.blueprints]
two-addresses = two_addresses.blueprint:TwoAddresses
"""
SPEC = "blueprint: two-addresses\nname: demo\nregion: us-east-1\n"


@dataclass
class Operator:
    """`tier1` with the package installed, and direct access to the account."""

    tier1: Command
    ec2: Any

    def spec(self) -> str:
        path = self.tier1.folder / "demo.yaml"
        path.write_text(SPEC, encoding="utf-8")
        return str(path)

    def changed(self, folder: Path, kind: str, mode: str) -> Command:
        """`tier1` with a copy of the package whose kind has this code, replaced (`w`) or appended (`a`)."""
        assert self.tier1.warm is not None
        assert self.tier1.warm.packages is not None
        shutil.copytree(self.tier1.warm.packages, folder)
        with (folder / "two_addresses" / "kind.py").open(mode, encoding="utf-8") as module:
            module.write(kind)
        path = os.pathsep.join(str(one) for one in (folder, Path(tier1_engine.__file__).parents[1]))
        return replace(self.tier1, warm=None).with_(PYTHONPATH=path)

    def addresses(self) -> list[dict[str, Any]]:
        """The addresses that tier1 allocated."""
        return [one for one in self.ec2.describe_addresses()["Addresses"] if one.get("Tags")]

    def leave_room_for(self, count: int) -> list[str]:
        """Allocate all but `count` addresses of the quota for another owner, and return their ids."""
        others = range(ADDRESSES_PER_ACCOUNT - count)
        return [self.ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in others]


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """`tier1` with the package installed."""
    root = tmp_path_factory.mktemp("packages")
    package, information = root / "two_addresses", root / "two_addresses-1.0.dist-info"
    package.mkdir(parents=True)
    information.mkdir()
    shutil.copyfile(elastic_ip.__file__, package / "kind.py")
    (package / "blueprint.py").write_text(BLUEPRINT, encoding="utf-8")
    (information / "METADATA").write_text("Name: two-addresses\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    warm = Warm(root)
    yield warm
    warm.end()


@pytest.fixture
def operator(tier1: Command, aws: str, beside: Warm) -> Operator:
    return Operator(replace(tier1.with_(PYTHONPATH=beside.path), warm=beside), client("ec2", aws))


def test_no_other_file_refers_to_it() -> None:
    """Otherwise the other tests would prove nothing."""
    package = Path(tier1_engine.__file__).parent
    texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert not [path for path, text in texts.items() if ElasticIp.name in text or "ElasticIp" in text]


def test_it_is_deployed_shown_and_destroyed(operator: Operator) -> None:
    """It has its console link and outputs like any other kind."""
    assert operator.tier1("deploy", operator.spec()).code == 0
    shown = operator.tier1.show("demo")
    assert {one["kind"] for one in shown["resources"]} == {"elastic_ip"}
    assert all("ElasticIpDetails" in one["console_url"] for one in shown["resources"])
    assert len(operator.addresses()) == 2
    assert operator.tier1("destroy", "demo", "--yes").code == 0
    assert operator.addresses() == []


def test_its_failure_is_rolled_back(operator: Operator) -> None:
    """The second one meets the quota, and the first is deleted."""
    operator.leave_room_for(1)
    assert operator.tier1("deploy", operator.spec()).code == 3
    shown = operator.tier1.show("demo")
    assert (shown["state"], shown["failure"]["code"]) == ("rolled_back", "AddressLimitExceeded")
    assert operator.addresses() == []


def test_it_is_guided_priced_and_deleted_by_the_script(
    operator: Operator, warm_aws: Path, tmp_path: Path
) -> None:
    """The words, commands and price come from the kind's file."""
    operator.leave_room_for(1)
    kept = operator.tier1("deploy", operator.spec(), "--no-rollback")
    assert kept.code == 4
    assert "1 resource remaining in AWS: about $0.01/h, $4/month" in kept.out
    guide = operator.tier1("guide", "demo").out
    for words in (
        "The account has reached its limit of Elastic IP addresses in us-east-1.",
        "Release addresses that nothing uses",
        "ec2 describe-addresses --query",
        "Nobody else gets the address of eipalloc-",
        "Elastic IP address, $0.0050/h, $3.65/month (public IPv4)",
        "ec2 release-address --allocation-id eipalloc-",
    ):
        assert words in " ".join(guide.split()), guide
    assert "~$0.01/h" in operator.tier1("list").out
    shell = Shell(operator.tier1, put_programs(tmp_path / "programs", warm_aws, None))
    done = shell(shell.script(), "--yes")
    assert done.code == 0, done.err
    assert operator.addresses() == []
    assert operator.tier1.show("demo")["state"] == "rolled_back"


def test_a_new_version_that_fails_in_all_it_tells_people_spoils_no_command(
    operator: Operator, tmp_path: Path
) -> None:
    """List, show, guide and sweep say what they know, with warnings; the engine still deletes by it."""
    assert operator.tier1("deploy", operator.spec()).code == 0
    faulty = operator.changed(tmp_path / "faulty", FAULTY, "a")
    for command in (
        ("list", "-o", "json"),
        ("show", "demo", "-o", "json"),
        ("guide", "demo", "-o", "json"),
        ("sweep", "--dry-run", "-o", "json"),
    ):
        done = faulty(*command)
        assert done.code == 0, (command, done)
        assert done.json
        assert "Traceback" not in done.err
    shown = faulty("show", "demo")
    assert "warning: the kind elastic_ip (two_addresses.kind:ElasticIp of the package" in shown.err
    assert faulty("destroy", "demo", "--yes").code == 0
    assert operator.addresses() == []


def test_a_package_that_exits_at_import_ends_no_command(operator: Operator, tmp_path: Path) -> None:
    """It is left out with a warning; the deployments of others are as usable as before."""
    id = operator.tier1.active("ours")
    leaving = operator.changed(tmp_path / "leaving", "raise SystemExit(0)\n", "w")
    shown = leaving("show", id, "-o", "json")
    assert (shown.code, shown.json["name"]) == (0, "ours")
    assert "is ignored: SystemExit: 0." in shown.err
    refused = leaving("deploy", operator.spec())
    assert refused.code == 2, refused
    assert "elastic_ip, which no installed package provides in a usable form" in " ".join(refused.err.split())


def test_an_orphan_of_the_new_kind_is_swept(operator: Operator) -> None:
    """AWS created it late: it has the tags of a create without a reply, of a deployment that has ended."""
    assert operator.tier1("deploy", operator.spec()).code == 0
    tags = operator.addresses()[0]["Tags"]
    assert operator.tier1("destroy", "demo", "--yes").code == 0
    tagged = next(tag["Value"] for tag in tags if tag["Key"] == TAG_RESOURCE)
    assert tagged in [without_reply(operator.tier1, step) for step in ("one", "other")]
    late = operator.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
    )["AllocationId"]
    planned = operator.tier1("sweep", "--orphans", "--dry-run", "-o", "json").json
    (item,) = planned["items"]
    assert (item["kind"], item["aws_id"]) == ("elastic_ip", late)
    assert operator.tier1("sweep", "--orphans", "--yes").code == 0
    assert operator.addresses() == []
