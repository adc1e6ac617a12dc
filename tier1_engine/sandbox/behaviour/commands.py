"""Systems Manager Run Command: an instance is managed once its agent has registered.

`mountpoint -q PATH` is answered from the boot; any other command succeeds without output. Source: Systems
Manager user guide, "Run Command" (statuses Pending, Success, Failed) and "Verify that the agent is running";
SSM API reference, SendCommand (`InvalidInstanceId`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.ssm.exceptions import SSMException
from moto.ssm.models import Command, SimpleSystemManagerBackend, ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.boot import Boot, Boots
from tier1_engine.sandbox.behaviour.instances import Life, Lives
from tier1_engine.sandbox.behaviour.patching import add, around, asked
from tier1_engine.sandbox.world import World

PENDING, SUCCESS, FAILED = "Pending", "Success", "Failed"
REGISTERED_AT = "_registered_at"
"""Attribute of moto's instance: the AWS second from which Systems Manager manages it."""


def install(world: World, agenda: Agenda, lives: Lives, boots: Boots) -> None:
    """Run commands on instances whose agent has registered."""

    def register(life: Life) -> None:
        vars(life.instance)[REGISTERED_AT] = agenda.now + world.takes("ssm.register")

    def forget(instance_id: str) -> None:
        for regions in ssm_backends.values():
            for backend in regions.values():
                held = vars(backend)
                held["_commands"] = [one for one in held["_commands"] if instance_id not in one.instance_ids]

    def known(instance_id: str) -> bool:
        """Whether the instance is running with a profile and its agent has registered."""
        life = lives.by_id.get(instance_id)
        return (
            life is not None
            and life.runs
            and life.instance.iam_instance_profile is not None
            and agenda.now >= vars(life.instance).get(REGISTERED_AT, agenda.now + 1)
        )

    add(SimpleSystemManagerResponse, "list_command_invocations", _list_command_invocations)
    lives.on_running.append(register)
    lives.on_purged.append(forget)

    @around(SimpleSystemManagerBackend, "send_command")
    def send_command(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        if not all(known(one) for one in named.get("instance_ids") or ()):
            raise SSMException("InvalidInstanceId", "Instances not in a valid state for account")
        command = before(backend, *given, **named)
        _begin(command)
        agenda.after(world.takes("ssm.command"), partial(_run, command, boots))
        return command

    @around(Command, "_get_instance_ids_from_targets")
    def only_targets(before: Callable[..., list[str]], command: Any) -> list[str]:
        """moto treats an empty target list as every instance."""
        return before(command) if command.targets else []


def _list_command_invocations(response: Any) -> ActionResult:
    """ListCommandInvocations, which moto lacks: the result of each command on each instance."""
    wanted = asked(response, "InstanceId")
    commands = response.ssm_backend.list_commands(asked(response, "CommandId"), wanted)
    shown = [
        {
            "CommandId": command.command_id,
            "InstanceId": one["InstanceId"],
            "Comment": command.comment,
            "DocumentName": command.document_name,
            "RequestedDateTime": command.requested_date_time,
            "Status": one["Status"],
            "StatusDetails": one["StatusDetails"],
        }
        for command in commands
        for one in command.invocations
        if wanted in (None, one["InstanceId"])
    ]
    return ActionResult({"CommandInvocations": shown})


def _run(command: Any, boots: Boots) -> None:
    """Decide the result of a command on each of its instances."""
    passed = [_succeeds(command, boots.by_id.get(one)) for one in command.instance_ids]
    for invocation, succeeded in zip(command.invocations, passed, strict=True):
        invocation["Status"] = invocation["StatusDetails"] = SUCCESS if succeeded else FAILED
        invocation["ResponseCode"] = 0 if succeeded else 1
    status = SUCCESS if all(passed) else FAILED
    command.status = command.status_details = status
    command.completed_count, command.error_count = len(passed), passed.count(False)


def _begin(command: Any) -> None:
    command.status = command.status_details = PENDING
    command.completed_count = 0
    for invocation in command.invocations:
        invocation["Status"] = invocation["StatusDetails"] = PENDING
        invocation["ResponseCode"] = -1  # Run Command's value until the plugin has ended


def _succeeds(command: Any, boot: Boot | None) -> bool:
    """Whether the shell commands would succeed on the instance, as far as the sandbox models them."""
    return all(_line_succeeds(line, boot) for line in command.parameters.get("commands") or ())


def _line_succeeds(line: str, boot: Boot | None) -> bool:
    words = shlex.split(line)
    if not words or words[0] != "mountpoint":
        return True
    return boot is not None and boot.mounted and words[-1] == boot.settings.get("MP")
