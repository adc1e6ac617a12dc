"""The options of an operator: the commands that fit the situation, in the order in which they work. Pure.

Owns the choice of `tier1` commands for a situation, and the `aws` lines that delete everything by hand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tier1_engine.contract.manual import Recipe
from tier1_engine.deployment.record import Resource
from tier1_engine.deployment.states import ResourceState
from tier1_engine.guidance.facts import GuideFacts, Situation
from tier1_engine.guidance.lines import Command, flags, typed, until_gone, until_taken


@dataclass(frozen=True, slots=True)
class GuideOption:
    """One option: its commands are typed one after the other."""

    title: str
    commands: tuple[Command, ...]


def ways(facts: GuideFacts) -> list[GuideOption]:
    """The options, the most likely first."""
    found = [_way(title, line, why) for title, line, why in _by_tier1(facts)]
    if _may_delete(facts):
        found.append(_script(facts))
    return found


def _may_delete(facts: GuideFacts) -> bool:
    return bool(facts.standing) and facts.situation is not Situation.DRIVEN


def _way(title: str, line: str, why: str) -> GuideOption:
    return GuideOption(title, (Command(line, why),))


def _by_tier1(facts: GuideFacts) -> Iterator[tuple[str, str, str]]:
    id, situation = facts.deployment.id, facts.situation
    if situation is Situation.DRIVEN:
        yield "Follow it", f"tier1 show {id} --watch", "ends when it is no longer running"
    if situation in (Situation.INTERRUPTED, Situation.BLOCKED, Situation.STALLED):
        yield "Resume, once it is fixed", f"tier1 resume {id}", "resumes from the database"
    if situation is Situation.UNDECIDED:
        yield "Retry, once it is fixed", f"tier1 resume {id} --retry", "retries the failed step"
    if facts.may_continue:
        yield "Continue without it", f"tier1 resume {id} --continue", "it counts as active, with a warning"
    if situation is not Situation.ENDED:
        yield (
            "Delete everything it created",
            settling(facts),
            "in reverse order; asks for confirmation on a terminal",
        )
    yield "See every attempt", f"tier1 log {id}", "with its error and AWS's request id"


def settling(facts: GuideFacts) -> str:
    """The command that closes the deployment in the database, too."""
    verb = "rollback" if facts.deployment.activated_at is None else "destroy"
    return f"tier1 {verb} {facts.deployment.id}"


def _script(facts: GuideFacts) -> GuideOption:
    file = f"tier1-{facts.deployment.id}.sh"
    return GuideOption(
        "Delete it with a script that uses the aws CLI",
        (
            Command(
                f"tier1 guide {facts.deployment.id} -o shell >{file}",
                "checks the tags before each deletion, waits where AWS needs it, and can be run again",
            ),
            Command(f"bash {file} --yes", "without --yes, asks for confirmation"),
        ),
    )


def by_hand(facts: GuideFacts) -> GuideOption | None:
    """The manual option, line by line; None when a resource has neither id nor tags, so only the script finds
    it.
    """
    if not _may_delete(facts):
        return None
    lines: list[Command] = []
    for resource in facts.standing:
        found = list(_deletions(facts, resource))
        if not found:
            return None
        lines += found
    lines.append(
        Command(
            f"{settling(facts)} --yes", "confirms that everything is deleted, and closes it in the database"
        )
    )
    return GuideOption("Delete it by hand, line by line", tuple(lines))


def _deletions(facts: GuideFacts, resource: Resource) -> Iterator[Command]:
    """The lines that delete one resource, and wait if the next one needs it gone.

    For a resource that was never observed ready the record may be incomplete, so what must be detached is
    read from AWS.
    """
    kind, aws_id = facts.kinds.get(resource.kind), resource.aws_id
    if kind is None:
        return
    recipe = kind.recipe(facts.target(resource))
    if aws_id is None:
        if recipe is not None and (not recipe.evidence or recipe.untagged):
            yield Command(_found_by_tags(recipe, facts), f"deletes {resource.name}, if it exists")
        return
    commands = kind.commands(aws_id, resource.facts)
    if resource.state is ResourceState.PRESENT or recipe is None:
        lines = [typed(line, facts.deployment) for line in commands["delete"]]
    else:
        lines = [_about(line, aws_id, facts) for line in _undone(recipe)]
    if not lines:
        return
    # A resource that is being deleted may be gone already: that is no error.
    gone = " || true" if resource.ended or resource.state is ResourceState.DELETING else ""
    *before, last = lines
    for line in before:
        yield Command(line + gone, f"deletes {resource.name}")
    if kind.holds_interfaces and commands["look"]:
        last = until_taken(last, commands["look"][0], facts.deployment)
        yield Command(last, f"deletes {resource.name}, once no network interface lingers in it")
    else:
        yield Command(last + gone, f"deletes {resource.name}")
    for line in commands.get("wait", ()):
        yield Command(until_gone(line, facts.deployment), f"waits until {resource.name} is deleted")


def _found_by_tags(recipe: Recipe, facts: GuideFacts) -> str:
    """The search for a resource without a recorded id: by its tags, or by the name that proves ownership."""
    line = f"for id in $({recipe.find}); do {'; '.join(_undone(recipe))}; done"
    return _CALL.sub(f"aws {flags(facts.deployment)} ", line)


def _undone(recipe: Recipe) -> Iterator[str]:
    for freeing in recipe.free:
        yield f"for it in $({freeing.listing}); do {freeing.command}; done"
    yield recipe.delete
    if recipe.wait is not None:
        yield recipe.wait


_CALL = re.compile(r"\baws (?=[a-z][a-z0-9-]* [a-z])")
"""The start of an `aws` command, of any service."""


def _about(line: str, aws_id: str, facts: GuideFacts) -> str:
    """A recipe's line about one id, with the options for the deployment's AWS."""
    named = line.replace('"$id"', shlex.quote(aws_id)).replace("$id", aws_id)
    return _CALL.sub(f"aws {flags(facts.deployment)} ", named)
