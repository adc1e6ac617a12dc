"""An instance's console output and its answers to Systems Manager agree, because both come from its boot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.young_account import Stage, refused, user_data
from tier1_engine.boot.userdata import is_compressed, packed
from tier1_engine.checks.efs_mount import judge_marks
from tier1_engine.contract.kind import Presence
from tier1_engine.sandbox.behaviour.boot import MOUNT_PAUSE_SECONDS, MOUNT_TRIES
from tier1_engine.sandbox.behaviour.figures import FIGURES, HOUR


@pytest.fixture(scope="module")
def place(_stage: Stage) -> str:
    return _stage.subnet(_stage.vpc())


@pytest.fixture(scope="module")
def file_system_id(_stage: Stage, place: str) -> str:
    """A file system that can be mounted in the zone of `place`."""
    made = _stage.file_system()
    target = _stage.mount_target(made, place)
    _stage.until(lambda: _stage.mount_target_state(target) == "available", step=5)
    return made


def console(stage: Stage, instance_id: str, **more: Any) -> str:
    return str(stage.ec2.get_console_output(InstanceId=instance_id, Latest=True, **more).get("Output", ""))


def marks(stage: Stage, instance_id: str) -> list[str]:
    return [line for line in console(stage, instance_id).splitlines() if line.startswith("tier1: ")]


def wrong(stage: Stage, **what: str) -> None:
    assert isinstance(stage.world.wrong, dict)
    stage.world.wrong.update(what)


def ended(stage: Stage, instance_id: str) -> list[str]:
    """The marks on the console when the user data has ended."""
    stage.until(lambda: "finished" in console(stage, instance_id), within=1200, step=5)
    return marks(stage, instance_id)


def test_compressed_user_data_boots_like_any_other(stage: Stage, place: str, file_system_id: str) -> None:
    """cloud-init decompresses it."""
    script = ": something to repeat\n" * 2_000
    settings = {
        "file_system_id": file_system_id,
        "mount_path": "/mnt/efs",
        "region": "r",
        "mount_targets": {},
    }
    sent = packed(script=script, **settings)
    assert is_compressed(sent)
    made = stage.launch(place, UserData=sent)
    stage.reach(made, "running")
    assert ended(stage, made)[-1] == "tier1: ready"


def test_the_marks_appear_in_order(stage: Stage, place: str, file_system_id: str) -> None:
    """Begin, mounted and ready are whole lines, each at its own time."""
    made = stage.launch(place, UserData=user_data(file_system_id))
    assert console(stage, made) == ""
    stage.reach(made, "running")
    assert marks(stage, made) == []
    assert judge_marks(console(stage, made)).presence is Presence.PENDING
    took = stage.until(lambda: marks(stage, made) == ["tier1: begin"])
    assert FIGURES["boot.begin"].least <= took <= FIGURES["boot.begin"].most + 1
    stage.until(lambda: marks(stage, made) == ["tier1: begin", "tier1: mounted"])
    stage.until(lambda: marks(stage, made) == ["tier1: begin", "tier1: mounted", "tier1: ready"])
    text = console(stage, made)
    assert judge_marks(text).presence is Presence.READY
    assert "cloud-init" in text
    assert text.startswith("[    0.000000] Linux version 6")


def test_a_mount_waits_for_a_mount_target_of_the_zone(stage: Stage, place: str) -> None:
    """A mount target in another zone does not help."""
    own = stage.file_system()
    elsewhere = stage.subnet(stage.vpc(), zone="us-east-1b")
    there = stage.mount_target(own, elsewhere)
    stage.until(lambda: stage.mount_target_state(there) == "available", step=5)
    made = stage.launch(place, UserData=user_data(own))
    stage.reach(made, "running")
    stage.clock.turn(FIGURES["boot.begin"].most + FIGURES["boot.mount"].most + 30)
    assert marks(stage, made) == ["tier1: begin"]
    with refused("MountTargetConflict"):
        stage.mount_target(own, place)  # AWS allows a file system in one VPC only
    stage.efs.delete_mount_target(MountTargetId=there)
    stage.until(lambda: stage.mount_target_state(there) == "MountTargetNotFound")
    here = stage.mount_target(own, place)
    stage.until(lambda: stage.mount_target_state(here) == "available", step=5)
    stage.until(lambda: "tier1: mounted" in marks(stage, made), within=MOUNT_PAUSE_SECONDS + 1)


def test_a_mount_that_never_succeeds_is_given_up(stage: Stage, place: str) -> None:
    """It ends with the code of `userdata.sh`, after its attempts."""
    made = stage.launch(place, UserData=user_data("fs-01234567"))
    stage.reach(made, "running")
    took = stage.until(lambda: len(marks(stage, made)) == 2, within=1200, step=5)
    assert took >= (MOUNT_TRIES - 1) * MOUNT_PAUSE_SECONDS
    assert marks(stage, made) == ["tier1: begin", "tier1: user-data-failed 302"]


@pytest.mark.parametrize(
    ("what", "how", "last"),
    [
        ("mount", "fails", "tier1: user-data-failed 302"),
        ("user_data", "fails", "tier1: user-data-failed 1"),
        ("user_data", "fails:137", "tier1: user-data-failed 137"),
    ],
)
def test_the_last_mark_shows_what_failed(
    stage: Stage, place: str, file_system_id: str, what: str, how: str, last: str
) -> None:
    """A failed mount leaves no mark of a mount; a failed script leaves a mark after one."""
    wrong(stage, **{what: how})
    made = stage.launch(place, UserData=user_data(file_system_id))
    stage.reach(made, "running")
    shown = ended(stage, made)
    assert shown[-1] == last
    assert ("tier1: mounted" in shown) == (what == "user_data")


@pytest.mark.parametrize("text", [None, "#!/bin/bash\necho tier1: ready\n", b"\xff\xfe\x00binary"])
def test_other_user_data_writes_no_marks(stage: Stage, place: str, text: Any) -> None:
    """This covers no user data, a script of another origin, and what is not text."""
    made = stage.launch(place, **({} if text is None else {"UserData": text}))
    stage.reach(made, "running")
    assert ended(stage, made) == []


def test_a_terminated_instance_writes_no_more(stage: Stage, place: str, file_system_id: str) -> None:
    """Its output can be read for as long as the instance is shown."""
    made = stage.launch(place, UserData=user_data(file_system_id))
    stage.reach(made, "running")
    stage.until(lambda: marks(stage, made) == ["tier1: begin"])
    stage.ec2.terminate_instances(InstanceIds=[made])
    stage.reach(made, "terminated")
    stage.clock.turn(600)
    assert marks(stage, made) == ["tier1: begin"]
    stage.clock.turn(HOUR)
    with refused("InvalidInstanceID.NotFound"):
        console(stage, made)


def test_the_latest_output_is_for_instances_on_nitro(stage: Stage, place: str) -> None:
    """An older type refuses it, and shows its output without it."""
    made = stage.launch(place, InstanceType="t2.micro")
    stage.reach(made, "running")
    with refused("UnsupportedOperation"):
        console(stage, made)
    assert "Linux version" in stage.ec2.get_console_output(InstanceId=made)["Output"]


def send(stage: Stage, instance_id: str, command: str = "mountpoint -q /mnt/efs") -> dict[str, Any]:
    sent: dict[str, Any] = stage.ssm.send_command(
        InstanceIds=[instance_id],
        DocumentName="AWS-RunShellScript",
        Comment="a test",
        Parameters={"commands": [command]},
    )["Command"]
    return sent


def result(stage: Stage, sent: dict[str, Any], instance_id: str) -> tuple[str, int]:
    invocation = stage.ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance_id)
    return invocation["Status"], invocation["ResponseCode"]


def usable_profile(stage: Stage) -> dict[str, str]:
    name = stage.profile()
    stage.clock.turn(FIGURES["profile.usable"].most)
    return {"Name": name}


def test_a_command_says_whether_the_file_system_is_mounted(
    stage: Stage, place: str, file_system_id: str
) -> None:
    """The command is unknown until the agent registers, fails before the mount, and succeeds after it."""
    made = stage.launch(place, UserData=user_data(file_system_id), IamInstanceProfile=usable_profile(stage))
    with refused("InvalidInstanceId"):
        send(stage, made)
    stage.reach(made, "running")
    with refused("InvalidInstanceId"):
        send(stage, made)
    ended(stage, made)
    stage.clock.turn(FIGURES["ssm.register"].most)
    sent = send(stage, made)
    assert sent["Status"] == "Pending"
    assert result(stage, sent, made) == ("Pending", -1)
    stage.clock.turn(FIGURES["ssm.command"].most)
    assert result(stage, sent, made) == ("Success", 0)
    other = send(stage, made, "mountpoint -q /somewhere/else")
    harmless = send(stage, made, "uptime")
    stage.clock.turn(FIGURES["ssm.command"].most)
    assert result(stage, other, made) == ("Failed", 1)
    assert result(stage, harmless, made) == ("Success", 0)
    listed = stage.ssm.list_commands(InstanceId=made)["Commands"]
    assert sorted(one["Status"] for one in listed) == ["Failed", "Success", "Success"]
    (invoked,) = stage.ssm.list_command_invocations(CommandId=other["CommandId"])["CommandInvocations"]
    assert (invoked["InstanceId"], invoked["Status"]) == (made, "Failed")
    assert len(stage.ssm.list_command_invocations(InstanceId=made)["CommandInvocations"]) == 3


def test_a_command_fails_where_the_mount_failed(stage: Stage, place: str, file_system_id: str) -> None:
    """The console and the command agree."""
    wrong(stage, mount="fails")
    made = stage.launch(place, UserData=user_data(file_system_id), IamInstanceProfile=usable_profile(stage))
    stage.reach(made, "running")
    assert ended(stage, made)[-1].startswith("tier1: user-data-failed")
    sent = send(stage, made)
    stage.clock.turn(FIGURES["ssm.command"].most)
    assert result(stage, sent, made) == ("Failed", 1)


def test_a_command_for_an_instance_without_a_profile_stays_unknown(stage: Stage, place: str) -> None:
    """Its agent has no credentials to register with."""
    made = stage.launch(place)
    stage.reach(made, "running")
    stage.clock.turn(600)
    with refused("InvalidInstanceId"):
        send(stage, made)


def test_a_command_belongs_to_its_instance_and_goes_with_it(
    stage: Stage, place: str, file_system_id: str
) -> None:
    """Another instance does not list it; once the instance is forgotten, nothing does."""
    profile = usable_profile(stage)
    first, second = (
        stage.launch(place, UserData=user_data(file_system_id), IamInstanceProfile=profile) for _ in range(2)
    )
    for one in (first, second):
        stage.reach(one, "running")
    stage.clock.turn(FIGURES["ssm.register"].most)
    sent = send(stage, first)
    assert stage.ssm.list_commands(InstanceId=second)["Commands"] == []
    stage.ec2.terminate_instances(InstanceIds=[first])
    stage.reach(first, "terminated")
    stage.clock.turn(HOUR)
    assert sent["CommandId"] not in [one["CommandId"] for one in stage.ssm.list_commands()["Commands"]]
