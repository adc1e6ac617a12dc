"""The behaviour as a whole: it leaves nothing behind, adds no cost to later calls, and follows its seed.

Each test has a sandbox of its own, because moto can be patched only once.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.common_models import BaseModel
from moto.core.responses import BaseResponse
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instances import Instance

from tests.support.young_account import NOTHING_HIDDEN, Stage, staged, user_data
from tier1_engine.sandbox.behaviour import objects
from tier1_engine.sandbox.behaviour.figures import FIGURES, HOUR

PORT = 18_080
DOORS = "sandbox-services"
REAL_SECONDS = 10.0


def open_at(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, PORT)) == 0


def deployment(stage: Stage) -> None:
    """Create all that a deployment creates, and delete it."""
    vpc_id = stage.vpc()
    gateway_id = stage.gateway(vpc_id)
    places = [stage.subnet(vpc_id, number, f"us-east-1{zone}") for number, zone in ((1, "a"), (2, "b"))]
    group_id = stage.group(vpc_id, 443)
    file_system_id = stage.file_system()
    targets = [stage.mount_target(file_system_id, one, group_id) for one in places]
    tags = [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": "v"}]} for kind in ("instance", "volume")]
    made = stage.launch(places[0], group_id, UserData=user_data(file_system_id), TagSpecifications=tags)
    stage.clock.turn(900)
    assert stage.state(made) == "running"
    stage.ec2.terminate_instances(InstanceIds=[made])
    for one in targets:
        stage.efs.delete_mount_target(MountTargetId=one)
    stage.clock.turn(900)
    stage.efs.delete_file_system(FileSystemId=file_system_id)
    stage.ec2.delete_security_group(GroupId=group_id)
    for one in places:
        stage.ec2.delete_subnet(SubnetId=one)
    stage.ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    stage.ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
    stage.ec2.delete_vpc(VpcId=vpc_id)
    stage.clock.turn(2 * HOUR)
    stage.ec2.describe_vpcs()


def alive() -> int:
    gc.collect()
    return sum(isinstance(one, BaseModel) for one in gc.get_objects())


@pytest.fixture
def empty() -> Iterator[Stage]:
    with staged(NOTHING_HIDDEN) as stage:
        yield stage


def test_a_deleted_deployment_leaves_nothing_behind(empty: Stage) -> None:
    """No object of moto, no tag and no address remains: the tenth costs what the first did."""
    deployment(empty)
    before = alive()
    for _ in range(3):
        deployment(empty)
    assert alive() == before
    (account,) = ec2_backends.values()
    backend: Any = account["us-east-1"]
    assert backend.tags == {}
    assert backend.reservations == backend.enis == backend.volumes == {}
    assert len(backend.network_acls) == 1


def test_a_read_costs_nothing_for_deleted_resources(empty: Stage) -> None:
    """A describe call does exactly as much work after five deployments as after one."""

    def effort() -> int:
        """Count the Python functions that two reads call."""
        called = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal called
            called += event == "call"

        sys.setprofile(count)
        try:
            empty.ec2.describe_instances()
            empty.ec2.describe_subnets()
        finally:
            sys.setprofile(None)
        return called

    deployment(empty)
    effort()
    after_one = effort()
    for _ in range(4):
        deployment(empty)
    assert abs(effort() - after_one) < after_one / 50  # caches of botocore and moto


def test_moto_is_restored() -> None:
    """Every class has its own methods again, inherited ones included."""
    names = [
        (BaseResponse, "call_action"),
        (BaseModel, "__new__"),
        (TaggedEC2Resource, "get_tags"),
        (Instance, "terminate"),
        (Instance, "instance_status"),
    ]
    before = [vars(owner)[name] for owner, name in names]
    with staged():
        assert all(vars(owner)[name] is not one for (owner, name), one in zip(names, before, strict=True))
    assert all(vars(owner)[name] is one for (owner, name), one in zip(names, before, strict=True))


def test_no_thread_and_no_socket_outlives_the_behaviour() -> None:
    """Removing it leaves nothing behind."""
    with staged(NOTHING_HIDDEN) as stage:
        vpc_id = stage.vpc()
        made = stage.launch(stage.subnet(vpc_id), stage.group(vpc_id, PORT))
        stage.reach(made, "running")
        address = str(stage.instance(made)["PublicIpAddress"])
        stage.clock.turn(FIGURES["service.up"].most + FIGURES["boot.begin"].most)
        stage.state(made)
        deadline = time.monotonic() + REAL_SECONDS
        while not open_at(address) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert open_at(address)
        assert DOORS in [one.name for one in threading.enumerate()]
    assert not open_at(address)
    assert DOORS not in [one.name for one in threading.enumerate()]


def test_it_can_be_installed_only_once(empty: Stage) -> None:
    """A second time would do everything twice."""
    with pytest.raises(RuntimeError, match="already"):
        objects.install(empty.world)


def course(seed: int) -> list[tuple[float, str, str, str]]:
    """The states of one life cycle, second by second."""
    with staged(NOTHING_HIDDEN, seed=seed) as stage:
        vpc_id = stage.vpc()
        place = stage.subnet(vpc_id)
        file_system_id = stage.file_system()
        target = stage.mount_target(file_system_id, place)
        made = stage.launch(place, UserData=user_data(file_system_id))
        seen = []
        for second in range(0, 300, 15):
            shown = stage.ec2.get_console_output(InstanceId=made).get("Output", "")
            seen.append(
                (float(second), stage.state(made), stage.mount_target_state(target), str(shown.splitlines()))
            )
            stage.clock.turn(15)
        return seen


def test_the_same_seed_and_calls_give_the_same_history() -> None:
    """States and log lines are equal; another seed gives others."""
    assert course(7) == course(7)
    assert course(7) != course(8)
