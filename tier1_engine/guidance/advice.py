"""The root cause of a failure in words: what it means, what to do, and the commands that help. Pure.

Owns the way from code and operation to a remedy with everything filled in: the missing permission, the
quota, the last lines of the console. It never reads AWS's words, but for the action that a refusal names
and for its encoded part, which only AWS can decode.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tier1_engine.boot import userdata
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.record import Resource
from tier1_engine.failures.codes import about_of
from tier1_engine.failures.final_codes import About
from tier1_engine.guidance import catalogue_ec2, catalogue_services, catalogue_stack, quotas
from tier1_engine.guidance.lines import Command, flags, quota_lines, typed, worded
from tier1_engine.guidance.remedies import Catalogue, Remedy, remedy_of
from tier1_engine.guidance.story import WORDS, Story

CATALOGUE: Catalogue = {
    **catalogue_ec2.CATALOGUE,
    **catalogue_services.CATALOGUE,
    **catalogue_stack.CATALOGUE,
}
"""Every remedy, by code or `Operation/code`."""

VCPU_CODES = frozenset({"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded"})
ONLY_AWS = frozenset({("ec2", "get-ebs-default-kms-key-id"), ("ssm", "describe-instance-information")})
"""Looks that an endpoint which is not AWS does not have."""
CONSOLE_LINES = 20
OF_THE_MACHINE = frozenset({"efs_mount", "instance", "instance_status"})
"""Steps whose failure an instance's console may explain."""
_NAMED = re.compile(r"is not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_ENCODED = re.compile(r"Encoded authorization failure message:\s*(\S+)")
BESIDES: Mapping[str, tuple[str, ...]] = {
    "RunInstances": ("iam:PassRole", "ec2:CreateTags", "iam:CreateServiceLinkedRole", "kms:CreateGrant"),
    "CreateFileSystem": ("elasticfilesystem:TagResource", "iam:CreateServiceLinkedRole"),
    "CreateMountTarget": ("ec2:CreateNetworkInterface", "ec2:DescribeSubnets"),
    "AddRoleToInstanceProfile": ("iam:PassRole",),
    "CreateRole": ("iam:TagRole",),
    "CreateInstanceProfile": ("iam:TagInstanceProfile",),
}
"""What AWS checks within a call beside the action of its name (the services' authorization references)."""
_TAGGING = frozenset(
    {
        "CreateVpc",
        "CreateSubnet",
        "CreateInternetGateway",
        "CreateRouteTable",
        "CreateSecurityGroup",
    }
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What one failure means.

    Attributes:
        resource: of a deletion that failed, whose it is.
        actions: the IAM actions that are missing, the surest first.
        commands: that show more or fix it.
        console: the last lines of the instance's console, where they were kept.
    """

    code: str
    operation: str | None
    message: str
    why: str
    mend: tuple[str, ...]
    resource: str | None = None
    actions: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    console: tuple[str, ...] = ()


def of_failure(story: Story) -> Advice | None:
    """The root cause: what ended the way forward, or what stopped the driver; None when nothing did."""
    if story.failure is not None:
        return _advice(story, story.failure)
    if (attempt := story.blocked_by) is not None:
        return _advice(story, Error(attempt.code or "Unknown", attempt.message or "", attempt.operation))
    return None


def of_resource(story: Story, resource: Resource) -> Advice | None:
    """What the deletion of one resource ran into."""
    if not resource.error:
        return None
    return _advice(story, resource.error, resource)


def _advice(story: Story, error: Error | Failure, resource: Resource | None = None) -> Advice:
    code, operation, message = error.code, error.operation, error.message
    known = story.known
    if resource is not None:
        known = {**known, **_of_resource(resource)}
    remedy = remedy_of(code, operation, CATALOGUE)
    actions = missing_actions(story, operation, message) if about_of(code) is About.ACCESS else ()
    commands = [*_looks(remedy, _standing(known, story), story), *_quota(remedy, code, known, story)]
    mend = [_said(sentence, known) for sentence in remedy.mend]
    if actions:
        mend.append(f"The user or role that runs tier1 needs this policy: {_statement(actions)}")
        commands += _decoding(message, story)
    return Advice(
        code=code,
        operation=operation,
        message=message,
        why=_said(remedy.why, known),
        mend=tuple(mend),
        resource=resource.name if resource else None,
        actions=actions,
        commands=tuple(commands),
        console=_console(story) if resource is None else (),
    )


def _standing(known: Mapping[str, str], story: Story) -> dict[str, str]:
    """What a command may name: AWS knows nothing any more of what is gone, and soon nothing of what ended."""
    gone = {resource.aws_id for resource in (*story.gone, *(r for r in story.standing if r.ended))}
    return {name: value for name, value in known.items() if value not in gone}


def _said(sentence: str, known: Mapping[str, str]) -> str:
    return sentence.format_map({**WORDS, **known})


def _of_resource(resource: Resource) -> dict[str, str]:
    """What commands about a resource that would not go may name: itself, and where it is."""
    own = {
        "subnet": {"subnet_id": resource.aws_id, "vpc_id": resource.request.get("vpc_id")},
        "vpc": {"vpc_id": resource.aws_id},
        "file_system": {"file_system_id": resource.aws_id},
        "mount_target": {
            "file_system_id": resource.request.get("file_system_id"),
            "subnet_id": resource.request.get("subnet_id"),
        },
        "instance": {"instance_id": resource.aws_id},
        "role": {"role_name": resource.aws_id},
    }.get(resource.kind, {"vpc_id": resource.request.get("vpc_id")})
    return {name: str(value) for name, value in own.items() if value}


def _looks(remedy: Remedy, known: Mapping[str, str], story: Story) -> list[Command]:
    local = bool(story.deployment.endpoint)
    looks = (words for words in remedy.look if not (local and words[:2] in ONLY_AWS))
    lines = (worded(words, known, story.deployment) for words in looks)
    return [Command(line, "shows more") for line in lines if line is not None]


def _quota(remedy: Remedy, code: str, known: Mapping[str, str], story: Story) -> list[Command]:
    """The quota's commands; an endpoint that is not AWS has quotas of its own."""
    quota = remedy.quota
    if code in VCPU_CODES:
        quota = quotas.of_vcpus(known.get("type", ""), known.get("market", ""))
    if quota is None or story.deployment.endpoint:
        return []
    return quota_lines(quota, story.deployment)


# --- permissions


def missing_actions(story: Story, operation: str | None, message: str = "") -> tuple[str, ...]:
    """The IAM actions that a refused call needs: the one that AWS names, where it names one, then that of
    the operation, by what the kinds and checks declare, and what AWS checks with it.
    """
    said = _NAMED.findall(message)[:1]
    return tuple(dict.fromkeys((*said, *_actions_of(story, operation)))) if operation else tuple(said)


def _actions_of(story: Story, operation: str) -> tuple[str, ...]:
    named = [action for action in _declared(story) if action.partition(":")[2] == operation]
    first = named[:1] or [f"{_service_of(operation)}:{operation}"]
    tags = ("ec2:CreateTags",) if operation in _TAGGING else ()
    return (*first, *BESIDES.get(operation, ()), *tags)


def _declared(story: Story) -> Iterable[str]:
    for kind in story.kinds.values():
        yield from kind.iam_actions
    for check in story.checks.values():
        yield from check.iam_actions


def _service_of(operation: str) -> str:
    """Of an operation that no kind declares: what the blueprint or the driver asks by itself."""
    return "sts" if operation in ("GetCallerIdentity", "DecodeAuthorizationMessage") else "ec2"


def _statement(actions: tuple[str, ...]) -> str:
    return json.dumps({"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def _decoding(message: str, story: Story) -> list[Command]:
    """EC2 encodes which policy refused; who may decode it reads the action, the resource and the policy."""
    encoded = _ENCODED.search(message)
    if encoded is None:
        return []
    line = (
        f"aws {flags(story.deployment)} sts decode-authorization-message "
        f"--encoded-message {shlex.quote(encoded[1])} --query DecodedMessage --output text"
    )
    return [Command(line, "shows which policy refused which action on which resource")]


# --- the console


def _console(story: Story) -> tuple[str, ...]:
    """The end of what the instance wrote, up to its failed mark: as a rollback has archived it, else what the
    check that failed had read of it.
    """
    step = story.failed_step
    if step is None or step.kind not in OF_THE_MACHINE:
        return ()
    text = next(iter(story.consoles.values()), "") or (step.error.console if step.error else "")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    marks = [n for n, line in enumerate(lines) if userdata.FAILED_MARK.fullmatch(line.strip())]
    end = marks[0] + 1 if marks else len(lines)
    return tuple(lines[max(0, end - CONSOLE_LINES) : end])


def looks_of(story: Story, resource: Resource) -> tuple[str, ...]:
    """The lines that show a resource: by its id, or by its tags where no id was ever recorded."""
    kind = story.kinds.get(resource.kind)
    if kind is None or resource.ended:
        return ()
    if resource.aws_id is not None:
        lines = kind.commands(resource.aws_id, resource.facts)["look"]
        return tuple(typed(line, story.deployment) for line in lines)
    recipe = kind.recipe(story.target(resource))
    return (typed(recipe.find, story.deployment),) if recipe else ()
