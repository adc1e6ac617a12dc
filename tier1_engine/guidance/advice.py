"""The root cause of a failure: what it means, how to fix it, and the commands that help. Pure.

Owns the path from error code and operation to a complete remedy: the missing permission, the quota, the last
console lines. It parses AWS's messages only for what has no code: the action and the policy that a refusal
names, the encoded part, which only AWS can decode, and the page on which to subscribe to a product.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tier1_engine.boot import userdata
from tier1_engine.contract.kind import Check, Kind
from tier1_engine.contract.remedy import Remedy, sentence
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.record import Resource, Step
from tier1_engine.deployment.states import FailureClass
from tier1_engine.failures.codes import about_of
from tier1_engine.failures.final_codes import About
from tier1_engine.guidance.denials import denial_of
from tier1_engine.guidance.facts import GuideFacts
from tier1_engine.guidance.lines import Command, flags, quota_lines, typed, worded
from tier1_engine.guidance.remedies import remedy_of

CONSOLE_LINES = 20
_NAMED = re.compile(r"is not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_ENCODED = re.compile(r"Encoded authorization failure message:\s*(\S+)")
_SUBSCRIPTION_PAGE = re.compile(r"https?://aws\.amazon\.com/marketplace/[\w./?=&%-]*[\w=]")


@dataclass(frozen=True, slots=True)
class Advice:
    """What one failure means, and how to fix it.

    Attributes:
        mend: what to do, one sentence each; `guide -o json` uses this key.
        resource: the resource whose deletion failed, if one did.
        actions: the missing IAM actions, the most certain first.
        commands: commands that show more, or fix the cause.
        console: the last lines of the instance's console, if they were archived.
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


def of_failure(facts: GuideFacts) -> Advice | None:
    """The root cause: what ended provisioning, or stopped the last run; None when nothing did."""
    if (failure := facts.deployment.blocked or facts.failure) is None:
        return None
    blocked = failure.failure_class is FailureClass.BLOCKED
    return _advice(facts, failure, facts.step(failure.step), blocked=blocked)


def of_resource(facts: GuideFacts, resource: Resource) -> Advice | None:
    """The failure that the deletion of one resource met."""
    if not resource.error:
        return None
    return _advice(facts, resource.error, facts.step(resource.step), resource)


def _advice(
    facts: GuideFacts,
    error: Error | Failure,
    step: Step | None,
    resource: Resource | None = None,
    *,
    blocked: bool = False,
) -> Advice:
    """Complete the remedy of an error.

    Args:
        blocked: the credentials were refused, which is never about the kind that made the call.
    """
    code, operation, message = error.code, error.operation, error.message
    known, part = facts.known(step, resource), facts.part_of(step)
    remedy = remedy_of(code, operation, part.remedies if part is not None and not blocked else {})
    access = about_of(code) is About.ACCESS
    actions = missing_actions(facts, operation, message) if access else ()
    commands = [*_looks(remedy, _standing(known, facts), facts), *_quota(remedy, known, facts)]
    why, fix = sentence(remedy.why, known), [sentence(text, known) for text in remedy.fix]
    if access and (denial := denial_of(message, part.title if part is not None else "")) is not None:
        # To allow the action would not help.
        why, fix, actions = denial.why(actions[0] if actions else "the call"), list(denial.fix), ()
        commands = []
    if page := _SUBSCRIPTION_PAGE.search(message):
        fix.append(f"The page is {page[0]}")
    if actions:
        if _ENCODED.search(message):
            fix.insert(
                0,
                "Decode the message with the command below: if it has `explicitDeny: true`, only a "
                "change of that policy helps.",
            )
        fix.append(f"The user or role that runs tier1 needs this policy statement: {_statement(actions)}")
        commands += _decoding(message, facts)
    return Advice(
        code=code,
        operation=operation,
        message=message,
        why=why,
        mend=tuple(fix),
        resource=resource.name if resource else None,
        actions=actions,
        commands=tuple(commands),
        console=_console(facts) if resource is None else (),
    )


def _standing(known: Mapping[str, str], facts: GuideFacts) -> dict[str, str]:
    """The fields that a command may use: AWS no longer knows deleted resources, and soon forgets
    ended ones.
    """
    gone = {resource.aws_id for resource in (*facts.gone, *(r for r in facts.standing if r.ended))}
    return {name: value for name, value in known.items() if value not in gone}


def _looks(remedy: Remedy, known: Mapping[str, str], facts: GuideFacts) -> list[Command]:
    """The commands of a remedy that show more; an endpoint that is not AWS does not support all of them."""
    looks = remedy.look if facts.deployment.endpoint else (*remedy.inspect_on_aws, *remedy.look)
    lines = (worded(words, known, facts.deployment) for words in looks)
    return [Command(line, "shows more") for line in lines if line is not None]


def _quota(remedy: Remedy, known: Mapping[str, str], facts: GuideFacts) -> list[Command]:
    """The quota's commands; an endpoint that is not AWS has its own quotas."""
    quota = remedy.quota(known) if callable(remedy.quota) else remedy.quota
    if quota is None or facts.deployment.endpoint:
        return []
    return quota_lines(quota, facts.deployment)


# --- permissions


def missing_actions(facts: GuideFacts, operation: str | None, message: str = "") -> tuple[str, ...]:
    """The IAM actions that a refused call needs.

    First the action that AWS names, if any; then the operation's own action as the kinds and checks declare
    it, and the actions that AWS checks with it.
    """
    said = _NAMED.findall(message)[:1]
    return tuple(dict.fromkeys((*said, *_actions_of(facts, operation)))) if operation else tuple(said)


def _actions_of(facts: GuideFacts, operation: str) -> tuple[str, ...]:
    named = [action for action in _declared(facts) if action.partition(":")[2] == operation]
    first = named[:1] or [f"{_service_of(operation)}:{operation}"]
    within = [pair for kind in facts.kinds.values() for pair in kind.implied_actions]
    return (*first, *(action for call, action in within if call == operation))


def _declared(facts: GuideFacts) -> Iterable[str]:
    for kind in facts.kinds.values():
        yield from kind.iam_actions
    for check in facts.checks.values():
        yield from check.iam_actions


def _service_of(operation: str) -> str:
    """The service of an operation that no kind declares: a direct call of the blueprint or the engine."""
    return "sts" if operation in ("GetCallerIdentity", "DecodeAuthorizationMessage") else "ec2"


def _statement(actions: tuple[str, ...]) -> str:
    return json.dumps({"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def _decoding(message: str, facts: GuideFacts) -> list[Command]:
    """Commands that decode which policy refused the call: EC2 encodes the action, the resource and the
    policy.
    """
    encoded = _ENCODED.search(message)
    if encoded is None:
        return []
    line = (
        f"aws {flags(facts.deployment)} sts decode-authorization-message "
        f"--encoded-message {shlex.quote(encoded[1])} --query DecodedMessage --output text"
    )
    return [Command(line, "shows which policy refused which action on which resource")]


# --- the console


def _console(facts: GuideFacts) -> tuple[str, ...]:
    """The last console lines, up to the failure mark: from the archive, else from the failed
    check's error.
    """
    step = facts.failed_step
    if step is None or not _explained_by_console(facts.part_of(step)):
        return ()
    text = next(iter(facts.consoles.values()), "") or (step.error.console if step.error else "")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    marks = [n for n, line in enumerate(lines) if userdata.FAILED_MARK.fullmatch(line.strip())]
    end = marks[0] + 1 if marks else len(lines)
    return tuple(lines[max(0, end - CONSOLE_LINES) : end])


def _explained_by_console(part: Kind | Check | None) -> bool:
    if isinstance(part, Check):
        return part.explained_by_console
    return part is not None and part.archives_console


def inspections_of(facts: GuideFacts, resource: Resource) -> tuple[str, ...]:
    """The commands that show a resource: by its id, or by its tags when no id was recorded."""
    kind = facts.kinds.get(resource.kind)
    if kind is None or resource.ended:
        return ()
    if resource.aws_id is not None:
        lines = kind.commands(resource.aws_id, resource.facts)["look"]
        return tuple(typed(line, facts.deployment) for line in lines)
    recipe = kind.recipe(facts.target(resource))
    return (typed(recipe.find, facts.deployment),) if recipe else ()
