"""Assertions after a command was disturbed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tests.support.command import Result
from tests.support.processes.proxy import Call, Reply
from tests.support.processes.stage import Stage

MAX_SECONDS_TO_HEED_A_SIGNAL = 1.0


AT_ONCE_SECONDS = 5.0
"""The time limit for a process that ends at once, on a slow machine as well."""


DELETING = ("Delete", "Terminate", "Detach", "Disassociate", "Revoke", "Remove")


PREFIXES = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateInternetGateway": "igw",
    "CreateRouteTable": "rtb",
    "CreateSecurityGroup": "sg",
    "CreateFileSystem": "fs",
    "CreateMountTarget": "fsmt",
    "RunInstances": "i",
}


@dataclass(frozen=True)
class Undisturbed:
    """What a deployment makes that nothing disturbs, and how many changing calls it needs for it."""

    census: Counter[str]
    calls: int


def check_whole(stage: Stage, done: Result, undisturbed: Undisturbed) -> None:
    """It is active, and AWS has the same objects as after an undisturbed run."""
    assert (done.code, done.json["state"]) == (0, "active"), done.err
    assert stage.account.census() == undisturbed.census
    check_once(stage)


def check_gone(stage: Stage) -> None:
    """AWS has the same objects as before."""
    assert stage.account.census() == stage.account.new
    check_once(stage)


def check_once(stage: Stage) -> None:
    """No resource was made twice, not even for a while."""
    assert [what for what, times in stage.proxy.made.items() if times > 1] == []


def id_of(call: Call, reply: Reply) -> str:
    """The id, or in IAM the name, of what a call made."""
    if call.service == "iam":
        return str(call.parameters.get("RoleName") or call.parameters["InstanceProfileName"])
    found = re.search(rf"\b{PREFIXES[call.operation]}-[0-9a-f]{{8,}}", reply.body.decode())
    assert found, reply
    return found[0]
