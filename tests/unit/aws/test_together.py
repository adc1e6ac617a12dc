"""Reads that share a call: each gets its own answer, none older than its request, and no error reads as an
absence.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tier1_engine.aws.together import ASKERS_LIMIT, LISTINGS, Together, TogetherCloud
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud, Reply
from tier1_engine.errors import CallError

QUIET_SECONDS = 0.3
"""Long enough for threads that start together to meet on a busy machine."""


def vpc(id: str, **tags: str) -> dict[str, Any]:
    return {"VpcId": id, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@dataclass
class Counted:
    """A cloud of a few resources that filters as EC2 does and counts its calls.

    Attributes:
        shared_fails, alone_fails: what a call for several, or for one, runs into.
    """

    things: dict[str, list[dict[str, Any]]]
    calls: list[dict[str, Any]] = field(default_factory=list)
    shared_fails: CallError | None = None
    alone_fails: Callable[[str], CallError | None] = lambda id: None
    region: str = "us-east-1"
    account_id: str = "123456789012"

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        key = "FileSystems" if service == "efs" else LISTINGS[operation].result_key
        return {key: list(self.pages(service, operation, key, **parameters))}

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        self.calls.append({"operation": operation, **parameters})
        wanted = {f["Name"]: f["Values"] for f in parameters.get("Filters", ())}
        if any(len(values) > 1 for values in wanted.values()) or (service == "efs" and not parameters):
            if self.shared_fails:
                raise self.shared_fails
        else:
            (ids,) = parameters.values()
            if error := self.alone_fails(ids if isinstance(ids, str) else str(ids[0])):
                raise error
        for one in self.things[operation]:
            if "Filters" in parameters:
                if all(self._has(one, name, values) for name, values in wanted.items()):
                    yield one
            elif not parameters or _id(one) in (ids if isinstance(ids, list) else [ids]):
                yield one

    def _has(self, one: dict[str, Any], name: str, values: Sequence[str]) -> bool:
        if name.startswith("tag:"):
            return any(t["Key"] == name[4:] and t["Value"] in values for t in one["Tags"])
        members = {"vpc-id": "VpcId", "subnet-id": "SubnetId", "instance-id": "InstanceId"}
        shown = one.get("Instances", [one])
        return any(each.get(members[name]) in values for each in shown)

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        self.calls.append({"operation": operation, **parameters})
        return Reply({"changed": True}, operation)


def _id(one: dict[str, Any]) -> str:
    shown = one["Instances"][0] if "Instances" in one else one
    return str(
        next(shown[name] for name in ("InstanceId", "FileSystemId", "SubnetId", "VpcId") if name in shown)
    )


def together(cloud: Counted) -> Callable[[], Cloud]:
    made = Together(quiet_seconds=QUIET_SECONDS).cloud(lambda permit: cloud)
    return lambda: made(AlwaysPermitted())


def at_once(asks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at the same moment, and return what each returns or raises."""
    gate = threading.Barrier(len(asks))

    def ask(one: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return one()
        except CallError as error:
            return error

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(ask, asks))


def by_ids(cloud: Callable[[], Cloud], operation: str, parameter: str, ids: Sequence[str]) -> list[Any]:
    key = LISTINGS[operation].result_key

    def ask(id: str) -> Callable[[], Any]:
        return lambda: list(cloud().pages("ec2", operation, key, **{parameter: [id]}))

    return at_once([ask(id) for id in ids])


def test_many_reads_of_one_kind_share_a_call() -> None:
    """Each gets its own; an absent resource is absent for its reader only, and nobody sees another's."""
    counted = Counted({"describe_vpcs": [vpc("vpc-1"), vpc("vpc-2"), vpc("vpc-3"), vpc("vpc-users")]})
    shown = by_ids(together(counted), "describe_vpcs", "VpcIds", ["vpc-1", "vpc-2", "vpc-gone", "vpc-3"])
    assert [[one["VpcId"] for one in each] for each in shown] == [["vpc-1"], ["vpc-2"], [], ["vpc-3"]]
    (call,) = counted.calls
    assert sorted(call["Filters"][0]["Values"]) == ["vpc-1", "vpc-2", "vpc-3", "vpc-gone"]


def test_a_single_read_makes_its_own_call() -> None:
    """It behaves as without sharing, NotFound included."""
    counted = Counted({"describe_vpcs": [vpc("vpc-1")]})
    cloud = together(counted)()
    assert list(cloud.pages("ec2", "describe_vpcs", "Vpcs", VpcIds=["vpc-1"])) == [vpc("vpc-1")]
    counted.alone_fails = lambda id: CallError("InvalidVpcID.NotFound", id, operation="DescribeVpcs")
    with pytest.raises(CallError, match="NotFound"):
        list(cloud.pages("ec2", "describe_vpcs", "Vpcs", VpcIds=["vpc-2"]))
    assert [call["VpcIds"] for call in counted.calls] == [["vpc-1"], ["vpc-2"]]


def test_a_call_serves_no_read_that_began_after_it() -> None:
    """Such a read waits for the next call, so no answer is older than its request."""
    counted = Counted({"describe_vpcs": [vpc("vpc-1"), vpc("vpc-2")]})
    cloud, second = together(counted), threading.Event()
    shown: list[Any] = []
    real = counted.pages

    def slow(*given: Any, **named: Any) -> Iterator[dict[str, Any]]:
        found = list(real(*given, **named))
        if len(counted.calls) == 1:
            later.start()
            assert second.wait(10.0)
        return iter(found)

    def ask_later() -> None:
        counted.things["describe_vpcs"] = []
        shown.extend(cloud().pages("ec2", "describe_vpcs", "Vpcs", VpcIds=["vpc-1"]))
        second.set()

    counted.pages = slow  # type: ignore[method-assign]
    later = threading.Thread(target=ask_later)
    first = list(cloud().pages("ec2", "describe_vpcs", "Vpcs", VpcIds=["vpc-1"]))
    later.join()
    assert (first, shown) == ([vpc("vpc-1")], [])
    assert len(counted.calls) == 2


def test_a_census_of_many_deployments_shares_a_call_by_tags() -> None:
    """The call has the values of all; each gets what carries both of its own."""
    things = [vpc("vpc-1", db="a", d="1"), vpc("vpc-2", db="a", d="2"), vpc("vpc-3", db="b", d="1")]
    counted = Counted({"describe_vpcs": things})
    cloud = together(counted)

    def ask(db: str, d: str) -> Callable[[], list[str]]:
        filters = [{"Name": "tag:db", "Values": [db]}, {"Name": "tag:d", "Values": [d]}]
        return lambda: [
            one["VpcId"] for one in cloud().pages("ec2", "describe_vpcs", "Vpcs", Filters=filters)
        ]

    asks = [ask("a", "1"), ask("a", "2"), ask("b", "2")]
    assert at_once(asks) == [["vpc-1"], ["vpc-2"], []]
    assert len(counted.calls) == 1


def test_instances_are_extracted_from_shared_reservations(monkeypatch: pytest.MonkeyPatch) -> None:
    """One reservation may hold instances of several deployments, and an instance without a VPC may be
    anybody's.
    """
    held = {"ReservationId": "r-1", "Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}
    counted = Counted({"describe_instances": [held]})
    cloud = together(counted)
    asks = [
        lambda id=id: cloud().read("ec2", "describe_instances", InstanceIds=[id])["Reservations"]
        for id in ("i-1", "i-2")
    ]
    shown = at_once(asks)
    assert [[i["InstanceId"] for r in each for i in r["Instances"]] for each in shown] == [["i-1"], ["i-2"]]
    interfaces = [{"NetworkInterfaceId": "eni-1", "SubnetId": "s-1"}, {"NetworkInterfaceId": "eni-2"}]
    counted.things["describe_network_interfaces"] = interfaces
    monkeypatch.setattr(counted, "_has", lambda one, name, values: True)
    places = [
        lambda s=s: [
            one["NetworkInterfaceId"]
            for one in cloud().pages(
                "ec2",
                "describe_network_interfaces",
                "NetworkInterfaces",
                Filters=[{"Name": "subnet-id", "Values": [s]}],
            )
        ]
        for s in ("s-1", "s-2")
    ]
    assert at_once(places) == [["eni-1", "eni-2"], ["eni-2"]]


def test_file_systems_read_together_come_from_the_list() -> None:
    """EFS describes one or all: one call lists them, and a missing one is absent for its reader only."""
    counted = Counted({"describe_file_systems": [{"FileSystemId": "fs-1"}, {"FileSystemId": "fs-2"}]})
    cloud = together(counted)
    asks = [
        lambda id=id: cloud().read("efs", "describe_file_systems", FileSystemId=id)["FileSystems"]
        for id in ("fs-1", "fs-2", "fs-gone")
    ]
    assert at_once(asks) == [[{"FileSystemId": "fs-1"}], [{"FileSystemId": "fs-2"}], []]
    assert len(counted.calls) == 1


def test_mount_targets_of_one_file_system_are_read_by_one_call() -> None:
    """EFS lists them by file system, so another file system needs another call."""
    things = [{"FileSystemId": "fs-1", "MountTargetId": "a"}, {"FileSystemId": "fs-1", "MountTargetId": "b"}]
    counted = Counted({"describe_mount_targets": things})
    cloud = together(counted)
    asks = [
        lambda id=id: list(cloud().pages("efs", "describe_mount_targets", "MountTargets", FileSystemId=id))
        for id in ("fs-1", "fs-1", "fs-2")
    ]
    assert at_once(asks) == [things, things, []]
    assert sorted(call["FileSystemId"] for call in counted.calls) == ["fs-1", "fs-2"]


def test_a_throttled_call_is_throttled_for_all_that_shared_it() -> None:
    """Each raises an error of its own, and none calls alone, which would only add to the throttling."""
    counted = Counted({"describe_vpcs": []})
    counted.shared_fails = CallError("RequestLimitExceeded", "slow down", operation="DescribeVpcs")
    shown = by_ids(together(counted), "describe_vpcs", "VpcIds", ["vpc-1", "vpc-2"])
    assert [error.code for error in shown] == ["RequestLimitExceeded"] * 2
    assert shown[0] is not shown[1]
    assert len(counted.calls) == 1


def test_after_any_other_failure_each_read_calls_alone() -> None:
    """So no reader gets another's error, least of all a NotFound."""
    counted = Counted({"describe_vpcs": [vpc("vpc-1")]})
    counted.shared_fails = CallError("InvalidVpcID.NotFound", "vpc-2", operation="DescribeVpcs")
    missing = CallError("InvalidVpcID.NotFound", "vpc-2", operation="DescribeVpcs")
    counted.alone_fails = lambda id: missing if id == "vpc-2" else None
    shown = by_ids(together(counted), "describe_vpcs", "VpcIds", ["vpc-1", "vpc-2"])
    assert shown[0] == [vpc("vpc-1")]
    assert shown[1].code == "InvalidVpcID.NotFound"
    assert len(counted.calls) == 3


def test_a_call_is_not_larger_than_ec2_accepts() -> None:
    """More readers than one call may name share several."""
    ids = [f"vpc-{number}" for number in range(ASKERS_LIMIT + 20)]
    counted = Counted({"describe_vpcs": [vpc(id) for id in ids]})
    shown = by_ids(together(counted), "describe_vpcs", "VpcIds", ids)
    assert [each[0]["VpcId"] for each in shown] == ids
    sizes = Counter(len(call["Filters"][0]["Values"]) for call in counted.calls)
    assert max(sizes) <= ASKERS_LIMIT
    assert len(counted.calls) < len(ids) / 2


@pytest.mark.parametrize(
    "filters", [[{"Name": "vpc-id", "Values": ["a", "b"]}], [{"Name": "x", "Values": ["a"]}]]
)
def test_answers_that_cannot_be_told_apart_are_not_shared(filters: list[dict[str, Any]]) -> None:
    """Examples are several values at once, and a filter that the answer does not show."""
    counted = Counted({"describe_vpcs": []})
    cloud = TogetherCloud(counted, Together(quiet_seconds=60.0))
    counted.pages = lambda *given, **named: iter(())  # type: ignore[method-assign]
    assert list(cloud.pages("ec2", "describe_vpcs", "Vpcs", Filters=filters)) == []
    wild = [{"Name": "tag:a", "Values": ["b*"]}]
    assert list(cloud.pages("ec2", "describe_vpcs", "Vpcs", Filters=wild)) == []


def test_changes_are_never_shared() -> None:
    """Each is sent by itself, under its own permit."""
    counted = Counted({})
    cloud = together(counted)
    at_once([lambda: cloud().change("ec2", "delete_vpc", VpcId="vpc-1")] * 3)
    assert counted.calls == [{"operation": "delete_vpc", "VpcId": "vpc-1"}] * 3
