"""Checks that EFS is mounted on the instance and that its user data succeeded.

It reads the markers that the user data writes to the console, or the result of a command that Systems
Manager runs. It changes nothing on the instance: the command is read-only.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tier1_engine.aws.console_output import latest_console_output
from tier1_engine.aws.times import iso_8601
from tier1_engine.boot import userdata
from tier1_engine.checks._observations import CONSOLE_LINE, PASSED, failed, unknown, waiting
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Check, Observation, Presence
from tier1_engine.contract.remedy import Remedies, Remedy
from tier1_engine.deployment.states import Action
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import is_unsupported

CONSOLE_LINES = 40
"""The console lines recorded with a failure, up to its marker: enough to show the command that failed."""
BEGIN, MOUNTED, READY = "tier1: begin", "tier1: mounted", "tier1: ready"

SCROLLED_CHARACTERS = 60 * 1024
"""From this length on, the beginning of the console may have been replaced: EC2 keeps 64 KB."""
BOOTED_LONG_AGO = timedelta(hours=2)
"""After this time an instance whose console has no marks has lost them: the user data was begun at once."""

SAMPLE_OUTPUT = "Linux version 2.6.16-xenU"
"""The start of the sample in EC2's API reference, which emulators return for every instance."""

DOCUMENT = "AWS-RunShellScript"
COMMAND_TIMEOUT_SECONDS = 60
"""How long Systems Manager tries to reach the agent (at least 30), and how long the command may run."""
COMMANDS_LIMIT = 50
"""The most recent commands that are read, one page; the check's own command is the last one sent."""

_MOUNT_TARGETS = ("efs", "describe-mount-targets", "--file-system-id", "{file_system_id}")
# Source: the markers of the user data (`boot.userdata`), and "Troubleshooting Amazon EFS" of its user guide.
REMEDIES: Remedies = {
    "NotMounted": Remedy(
        "The user data is running, but the file system was not mounted in time.",
        (
            "Check the console: if it is still installing packages, raise `health.timeout`.",
            (
                "Check that each zone has a mount target that is `available`, and that the instance reaches "
                "the internet to download packages."
            ),
            "In your own VPC, DNS support and DNS hostnames must be enabled.",
        ),
        (CONSOLE_LINE, _MOUNT_TARGETS),
    ),
    "NoConsoleOutput": Remedy(
        "The console showed no sign of the user data in time.",
        (
            "EC2 shows the console some minutes late: retry, or raise `health.timeout`.",
            (
                "If it stays empty, the AMI does not run cloud-init, or does not write to the console: use "
                "`health.mount_check: ssm`."
            ),
        ),
        (CONSOLE_LINE,),
    ),
    "UserDataRunning": Remedy(
        "EFS is mounted, but your script did not finish in time.",
        ("Check its progress on the console; raise `health.timeout`, or let the script do less.",),
        (CONSOLE_LINE,),
    ),
    "UserDataFailed": Remedy(
        "The user data failed; the code says where: 301 the mount path, 302 the mount, 303 unpacking, "
        "300 a signal, any other the exit status of your script.",
        (
            "Read the console: the lines before the mark say why.",
            "302: each zone needs a mount target that is `available`, and the instance access to packages.",
            "Fix `instance.user_data`, roll back, and deploy again: user data runs once.",
        ),
        (CONSOLE_LINE, _MOUNT_TARGETS),
    ),
    "CommandRunning": Remedy(
        "The command that checks the mount did not finish in time.",
        ("Retry, or use `health.mount_check: console`.",),
        (("ssm", "list-commands", "--instance-id", "{instance_id}"),),
    ),
    "InvalidInstanceId": Remedy(
        "The instance never registered with Systems Manager.",
        (
            (
                "The instance needs access to the internet or to SSM endpoints, and the policy "
                "AmazonSSMManagedInstanceCore; or use `health.mount_check: console`."
            ),
        ),
        inspect_on_aws=(
            (
                "ssm",
                "describe-instance-information",
                "--filters",
                "Key=InstanceIds,Values={instance_id}",
            ),
        ),
    ),
}


class EfsMount(Check):
    """Inputs: `{instance_id, method: "console" or "ssm", mount_path}`."""

    name = "efs_mount"
    title = "EFS mount"
    remedies = REMEDIES
    iam_actions = ("ec2:DescribeInstances", "ec2:GetConsoleOutput", "ssm:SendCommand", "ssm:ListCommands")
    explained_by_console = True

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        instance_id = str(inputs["instance_id"])
        if inputs.get("method") == "ssm":
            return _by_command(cloud, instance_id, str(inputs["mount_path"]))
        return _by_console(cloud, instance_id, str(inputs.get("mount_path")))


# --- console

NO_MARKS = waiting("NoConsoleOutput", "The console shows no sign of the user data yet.", "GetConsoleOutput")


def _by_console(cloud: Cloud, instance_id: str, mount_path: str) -> Observation:
    operation = "GetConsoleOutput"
    try:
        reply = latest_console_output(cloud, instance_id)
    except CallError as error:
        if error.code == "InvalidInstanceID.NotFound":
            return waiting(error.code, f"EC2 does not show the instance {instance_id}.", operation)
        if is_unsupported(error):
            return unknown("This endpoint has no console output, so the mount was not checked.", operation)
        raise
    text = str(reply.get("Output") or "")
    seen = judge_marks(text)
    if seen is NO_MARKS and _marks_are_lost(cloud, instance_id, text, reply.get("Timestamp")):
        return _without_marks(cloud, instance_id, mount_path)
    return seen


def judge_marks(text: str) -> Observation:
    """Judge the markers in the console output. A marker is a complete line; anything else is ignored.

    The user's script runs after the mount, so `mounted` alone does not mean that the user data is done.
    """
    operation = "GetConsoleOutput"
    lines = [line.strip() for line in text.splitlines()]
    at = next((n for n, line in enumerate(lines) if userdata.FAILED_MARK.fullmatch(line)), None)
    if at is not None:
        failure = lines[at].split()[-1]
        when = "after EFS was mounted" if MOUNTED in lines else "and EFS is not mounted"
        return failed(
            "UserDataFailed",
            f"The instance's user data failed with code {failure} ({userdata.meaning_of(failure)}), {when}: "
            "read its console output.",
            operation,
            console="\n".join(lines[max(0, at + 1 - CONSOLE_LINES) : at + 1]),
        )
    if READY in lines:
        return PASSED
    if MOUNTED in lines:
        return waiting("UserDataRunning", "EFS is mounted; the user data has not finished yet.", operation)
    if BEGIN in lines:
        return waiting("NotMounted", "The user data is running; EFS is not mounted yet.", operation)
    if SAMPLE_OUTPUT in text:
        return unknown(
            "This endpoint returns sample console output, so the mount was not checked.", operation
        )
    return NO_MARKS


def _marks_are_lost(cloud: Cloud, instance_id: str, text: str, shown_at: Any) -> bool:
    """Whether the console can no longer show the marks: later output has replaced them, or a reboot.

    EC2 keeps the last 64 KB (API reference, GetConsoleOutput), and the user data runs only at the first boot.
    """
    if len(text) >= SCROLLED_CHARACTERS:
        return True
    if not text or not isinstance(shown_at, datetime):
        return False
    launched_at = _launched_at(cloud, instance_id)
    return isinstance(launched_at, datetime) and shown_at - launched_at >= BOOTED_LONG_AGO


def _launched_at(cloud: Cloud, instance_id: str) -> Any:
    reply = cloud.read("ec2", "describe_instances", InstanceIds=[instance_id])
    instances = [one for held in reply.get("Reservations") or () for one in held.get("Instances") or ()]
    return next((one.get("LaunchTime") for one in instances), None)


def _without_marks(cloud: Cloud, instance_id: str, mount_path: str) -> Observation:
    """Ask Systems Manager what the console can no longer show; if it cannot say, the result is unknown."""
    try:
        seen = _by_command(cloud, instance_id, mount_path)
    except CallError as error:
        if judge(error, Action.CHECK, None, young=False) is Verdict.TRANSIENT:
            raise
        seen = unknown(f"{error.code}: {error.message}", "SendCommand")
    unreachable = seen.problem is not None and seen.problem.code == "InvalidInstanceId"
    if seen.presence is not Presence.UNKNOWN and not unreachable:
        return seen
    return unknown(
        "The console no longer shows the marks of the user data, and Systems Manager does not reach the "
        f"instance: whether {mount_path} is mounted was not checked.",
        "GetConsoleOutput",
    )


# --- Systems Manager


def _by_command(cloud: Cloud, instance_id: str, mount_path: str) -> Observation:
    """Read the result of the last command; send one if none is in progress.

    Systems Manager keeps the commands, so the check neither waits for one nor has to remember it.
    """
    operation = "SendCommand"
    comment = f"tier1: is {mount_path} mounted"[:100]
    try:
        listed = cloud.read("ssm", "list_commands", InstanceId=instance_id, MaxResults=COMMANDS_LIMIT).get(
            "Commands"
        )
        last = _last([one for one in listed or () if one.get("Comment") == comment])
        if last in ("Pending", "InProgress", "Cancelling"):
            return waiting(
                "CommandRunning", "Systems Manager is checking the mount on the instance.", operation
            )
        if last != "Success":
            last = _send(cloud, instance_id, mount_path, comment)
    except CallError as error:
        if error.code == "InvalidInstanceId":
            return waiting(error.code, "The instance is not registered with Systems Manager yet.", operation)
        if is_unsupported(error):
            return unknown("This endpoint cannot run commands, so the mount was not checked.", operation)
        raise
    if last == "Success":
        return PASSED
    return waiting("NotMounted", f"{mount_path} is not known to be mounted yet.", operation)


def _last(commands: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the status of the command that was sent last."""
    if not commands:
        return None
    newest = max(commands, key=lambda one: iso_8601(one.get("RequestedDateTime")) or "")
    return str(newest.get("Status") or "")


def _send(cloud: Cloud, instance_id: str, mount_path: str, comment: str) -> str:
    # The document runs sh, not bash. `mountpoint` is read-only.
    command = f"mountpoint -q {shlex.quote(mount_path)}"
    reply = cloud.change(
        "ssm",
        "send_command",
        InstanceIds=[instance_id],
        DocumentName=DOCUMENT,
        Comment=comment,
        TimeoutSeconds=COMMAND_TIMEOUT_SECONDS,
        Parameters={"commands": [command], "executionTimeout": [str(COMMAND_TIMEOUT_SECONDS)]},
    )
    return str((reply.get("Command") or {}).get("Status") or "")
