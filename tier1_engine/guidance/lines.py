"""Command lines to type: `aws` with the region, profile and endpoint of a deployment. Pure.

Owns the conversion of a kind's command line or a remedy's arguments into a line that works as printed.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tier1_engine.contract.remedy import Quota, filled
from tier1_engine.deployment.command_line import flags as flags
from tier1_engine.deployment.command_line import typed as typed
from tier1_engine.deployment.place import is_local
from tier1_engine.deployment.record import Deployment

WAIT_TRIES = 120
WAIT_SECONDS = 5
"""A loop typed by hand waits ten minutes: the slowest mount targets take that long."""


@dataclass(frozen=True, slots=True)
class Command:
    """One line to type, and what it is for."""

    line: str
    why: str


LEND = Command(
    "export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox",
    "the local AWS accepts any keys, but the aws CLI needs some",
)


def signing_in(deployment: Deployment) -> Command | None:
    """The command that sets keys for a local AWS; None for AWS itself, where the operator is signed in."""
    return LEND if is_local(deployment.endpoint, deployment.profile) else None


def worded(words: Sequence[str], known: Mapping[str, str], deployment: Deployment) -> str | None:
    """The `aws` line of a remedy; None when a field that it uses is unknown.

    Args:
        words: may end with `--region` and the region to ask, if that is not the deployment's.
    """
    whole = [found for word in words if (found := filled(word, known)) is not None]
    if len(whole) < len(words):
        return None
    if "--region" in whole[-2:]:
        return f"aws {flags(deployment, region=whole[-1])} {shlex.join(whole[:-2])}"
    return typed(shlex.join(["aws", *whole]), deployment)


def until_gone(line: str, deployment: Deployment) -> str:
    """A shell loop that ends when the line fails, or when its attempts are used up."""
    look = typed(line, deployment)
    return f"for _ in $(seq {WAIT_TRIES}); do {look} >/dev/null 2>&1 || break; sleep {WAIT_SECONDS}; done"


def until_taken(line: str, look: str, deployment: Deployment) -> str:
    """A shell loop that repeats the line until it succeeds, nothing is left to delete, or its attempts are
    used up.
    """
    gone = f"{typed(look, deployment)} >/dev/null 2>&1 || break"
    return f"for _ in $(seq {WAIT_TRIES}); do {line} && break; {gone}; sleep {WAIT_SECONDS}; done"


def quota_lines(quota: Quota, deployment: Deployment) -> list[Command]:
    """Commands that show the quota, and request an increase."""
    where = flags(deployment, region=quota.region)
    names = f"--service-code {quota.service} --quota-code {quota.code}"
    look = f"aws {where} service-quotas get-service-quota {names} --query Quota.Value --output text"
    found = [Command(look, f"shows the current quota: {quota.title} ({quota.code})")]
    if quota.adjustable:
        wanted = f'"$(( $({look} | cut -d. -f1) + {quota.more} ))"'
        ask = f"aws {where} service-quotas request-service-quota-increase {names} --desired-value {wanted}"
        found.append(Command(ask, f"requests {quota.more} more from AWS"))
    return found
