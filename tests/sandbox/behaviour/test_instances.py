"""The life cycle of an instance follows EC2's user guide, and in the end it is forgotten."""

from __future__ import annotations

import pytest

from tests.support.young_account import Stage, refused
from tier1_engine.sandbox.behaviour.figures import FIGURES, HOUR


@pytest.fixture(scope="module")
def place(_stage: Stage) -> tuple[str, str]:
    """A subnet and a group."""
    vpc_id = _stage.vpc()
    return _stage.subnet(vpc_id), _stage.group(vpc_id)


def checks(stage: Stage, instance_id: str) -> tuple[str, str]:
    shown = stage.ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
    status = shown["InstanceStatuses"][0]
    return status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]


def states_until_its_end(stage: Stage, instance_id: str) -> set[str]:
    seen: set[str] = set()

    def ended() -> bool:
        seen.add(stage.state(instance_id))
        return "terminated" in seen

    stage.until(ended)
    return seen


def test_it_is_pending_then_runs_and_then_its_checks_pass(stage: Stage, place: tuple[str, str]) -> None:
    """Its public address appears when it runs; its checks are initializing for minutes."""
    made = stage.launch(*place)
    assert stage.state(made) == "pending"
    assert "PublicIpAddress" not in stage.instance(made)
    assert checks(stage, made) == ("not-applicable", "not-applicable")
    took = stage.reach(made, "running")
    assert FIGURES["instance.run"].least <= took <= FIGURES["instance.run"].most + 1
    assert stage.instance(made)["PublicIpAddress"]
    assert checks(stage, made) == ("initializing", "initializing")
    took = stage.until(lambda: checks(stage, made) == ("ok", "ok"))
    assert FIGURES["instance.checks"].least <= took <= FIGURES["instance.checks"].most + 1


def test_it_is_shown_for_an_hour_after_its_end(stage: Stage, place: tuple[str, str]) -> None:
    """It is shutting-down, then terminated with the reason, and then unknown, with its tags and volumes."""
    made = stage.launch(
        *place, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]
    )
    stage.reach(made, "running")
    stage.ec2.terminate_instances(InstanceIds=[made])
    assert stage.state(made) == "shutting-down"
    stage.reach(made, "terminated")
    shown = stage.instance(made)
    assert shown["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert shown["StateTransitionReason"].startswith("User initiated (")
    assert "PublicIpAddress" not in shown
    assert shown["BlockDeviceMappings"] == []
    stage.clock.turn(HOUR - 60)
    assert stage.instance(made)["Tags"] == [{"Key": "k", "Value": "v"}]
    stage.clock.turn(120)
    with refused("InvalidInstanceID.NotFound"):
        stage.instance(made)
    left = stage.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"]
    assert left == []


def test_terminating_it_again_is_success(stage: Stage, place: tuple[str, str]) -> None:
    """That holds while it shuts down and afterwards; moto's answer about the missing interface is
    replaced.
    """
    made = stage.launch(*place)
    for state in ("shutting-down", "terminated"):
        stage.ec2.terminate_instances(InstanceIds=[made])
        stage.reach(made, state)
    stage.clock.turn(600)
    again = stage.ec2.terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
    assert again["PreviousState"]["Name"] == "terminated"


def test_one_of_a_reservation_is_forgotten_without_the_others(stage: Stage, place: tuple[str, str]) -> None:
    """The hour of one instance does not count for others of the same launch."""
    made = stage.ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=2, MaxCount=2, InstanceType="t3.medium", SubnetId=place[0]
    )
    ends, stays = (one["InstanceId"] for one in made["Instances"])
    stage.reach(ends, "running")
    stage.ec2.terminate_instances(InstanceIds=[ends])
    stage.reach(ends, "terminated")
    stage.clock.turn(HOUR)
    assert stage.state(stays) == "running"
    with refused("InvalidInstanceID.NotFound"):
        stage.instance(ends)


def test_it_may_terminate_by_itself(stage: Stage, place: tuple[str, str]) -> None:
    """It never runs, and the reason says why."""
    assert isinstance(stage.world.wrong, dict)
    stage.world.wrong["instance"] = "dies:Client.VolumeLimitExceeded"
    made = stage.launch(*place)
    assert states_until_its_end(stage, made) == {"pending", "terminated"}
    reason = stage.instance(made)["StateReason"]
    assert reason == {
        "Code": "Client.VolumeLimitExceeded",
        "Message": "Client.VolumeLimitExceeded: Volume limit exceeded",
    }


def test_one_whose_key_does_not_exist_terminates_by_itself(stage: Stage, place: tuple[str, str]) -> None:
    """EC2 looks for the key only after the launch; a key that AWS manages always exists."""
    for key, state in (("alias/gone", "terminated"), ("alias/aws/ebs", "running")):
        volume = {"VolumeSize": 8, "Encrypted": True, "KmsKeyId": key}
        disk = {"DeviceName": "/dev/xvda", "Ebs": volume}
        made = stage.launch(*place, BlockDeviceMappings=[disk])
        stage.reach(made, state)
        code = "Client.InternalError" if state == "terminated" else ""
        assert stage.instance(made)["StateReason"]["Code"] == code


def test_it_stops_and_starts(stage: Stage, place: tuple[str, str]) -> None:
    """It is stopping and pending in between, and has no public address while it is stopped."""
    made = stage.launch(*place)
    stage.reach(made, "running")
    stage.ec2.reboot_instances(InstanceIds=[made])
    stage.ec2.stop_instances(InstanceIds=[made])
    assert stage.state(made) == "stopping"
    with refused("IncorrectInstanceState"):
        stage.ec2.start_instances(InstanceIds=[made])
    stage.reach(made, "stopped")
    assert "PublicIpAddress" not in stage.instance(made)
    with refused("IncorrectInstanceState"):
        stage.ec2.reboot_instances(InstanceIds=[made])
    stage.ec2.start_instances(InstanceIds=[made])
    assert stage.state(made) == "pending"
    stage.reach(made, "running")
    assert stage.instance(made)["PublicIpAddress"]
    stage.ec2.terminate_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        stage.ec2.stop_instances(InstanceIds=[made])


def test_a_termination_overrides_a_start(stage: Stage, place: tuple[str, str]) -> None:
    """An instance that is terminated while pending never runs."""
    made = stage.launch(*place)
    stage.ec2.terminate_instances(InstanceIds=[made])
    assert states_until_its_end(stage, made) == {"shutting-down", "terminated"}


def test_a_spot_instance_has_its_life_cycle(stage: Stage, place: tuple[str, str]) -> None:
    """One on demand has none."""
    spot = stage.launch(*place, InstanceMarketOptions={"MarketType": "spot"})
    assert stage.instance(spot)["InstanceLifecycle"] == "spot"
    assert "InstanceLifecycle" not in stage.instance(stage.launch(*place))


def test_its_interface_has_the_requested_tags(stage: Stage, place: tuple[str, str]) -> None:
    """A tag specification for interfaces applies to the launch itself."""
    tags = [{"Key": "tier1:resource", "Value": "r"}]
    made = stage.launch(*place, TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}])
    (interface,) = stage.ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [made]}]
    )["NetworkInterfaces"]
    assert interface["TagSet"] == tags


def test_a_launch_into_an_unknown_group_or_subnet_leaves_nothing(
    stage: Stage, place: tuple[str, str]
) -> None:
    """It is refused with the code of the resource's type; no group and no reservation are created."""
    before = len(stage.ec2.describe_instances()["Reservations"])
    with refused("InvalidGroup.NotFound"):
        stage.launch(place[0], "sg-0123456789abcdef0")
    with refused("InvalidSubnetID.NotFound"):
        stage.launch("subnet-0123456789abcdef0", place[1])
    assert len(stage.ec2.describe_instances()["Reservations"]) == before
    with refused("InvalidGroup.NotFound"):
        stage.ec2.describe_security_groups(GroupIds=["sg-0123456789abcdef0"])
