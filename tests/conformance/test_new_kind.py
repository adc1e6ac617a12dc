"""A kind is one file: tier1 handles a kind that it has never seen by that file alone.

The tests install a package with only the kind and a blueprint that uses two of it, registered by entry
points. The conformance suite checks that the kind keeps the contract.
"""

from __future__ import annotations

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

ADDRESSES_PER_ACCOUNT = 5
"""The quota of the local AWS, which is that of a new AWS account."""
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


def test_an_orphan_of_the_new_kind_is_swept(operator: Operator) -> None:
    """AWS created it late: it has the tags of a deployment that has ended."""
    assert operator.tier1("deploy", operator.spec()).code == 0
    tags = operator.addresses()[0]["Tags"]
    assert operator.tier1("destroy", "demo", "--yes").code == 0
    late = operator.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
    )["AllocationId"]
    planned = operator.tier1("sweep", "--orphans", "--dry-run", "-o", "json").json
    (item,) = planned["items"]
    assert (item["kind"], item["aws_id"]) == ("elastic_ip", late)
    assert operator.tier1("sweep", "--orphans", "--yes").code == 0
    assert operator.addresses() == []
