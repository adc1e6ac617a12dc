"""A stack whose console has scrolled past the marks of its user data is not rolled back for that."""

from __future__ import annotations

import base64
import re
import signal
from collections.abc import Callable
from dataclasses import replace

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.processes.proxy import Act, Call, Exchange, Proxy, refused
from tier1_engine.checks.efs_mount import SCROLLED_CHARACTERS

LINE = "[12345.678901] systemd[1]: Started a job of the application.\n"
CHATTER = LINE * (SCROLLED_CHARACTERS // len(LINE) + 1)
NOT_CHECKED = "whether /mnt/efs is mounted was not checked"


def shows(text: str) -> Act:
    """EC2 shows this console; everything else of its reply is as it was."""
    encoded = base64.b64encode(text.encode()).decode()

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        body = re.sub(
            rb"<output>.*?</output>", f"<output>{encoded}</output>".encode(), reply.body, flags=re.DOTALL
        )
        assert encoded.encode() in body
        exchange.answer(replace(reply, body=body))

    return act


def consoles(text: str, *, managed: bool) -> Callable[[Call], Act | None]:
    """The rule of an instance with this console, which Systems Manager reaches or does not."""

    def rule(call: Call) -> Act | None:
        if call.operation == "GetConsoleOutput":
            return shows(text)
        unreachable = call.operation == "SendCommand" and not managed
        return refused(400, "InvalidInstanceId") if unreachable else None

    return rule


def test_a_resume_after_the_console_has_scrolled_ends_active(
    operator: Command, line: Proxy, aws: str
) -> None:
    """The driver died in `health_check`, before EC2 showed the marks; the instance has written 64 KiB since.
    Systems Manager is asked, and does not reach it: a warning. Nothing is made anew or deleted.
    """
    line.rule = consoles("\n", managed=True)
    running = operator.begin("deploy", operator.spec(more="health: {timeout: 20s}\n"))
    running.hear("efs-mount: started")
    running.signal(signal.SIGKILL)
    running.end()
    killed = operator.show("demo")
    assert killed["state"] == "health_check"
    line.rule, made = consoles(CHATTER, managed=False), len(line.executed)
    resumed = operator("resume", "demo", "-o", "json")
    assert (resumed.code, resumed.json["state"]) == (0, "active"), resumed
    assert [warning for warning in resumed.json["warnings"] if NOT_CHECKED in warning]
    assert "SendCommand" in {call.operation for call in line.calls}
    assert [call.operation for call, _ in line.executed[made:]] == []
    assert standing(aws) == WHOLE
