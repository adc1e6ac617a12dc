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
from tier1_engine.guidance.lines import Command, flags, typed, until_gone, until_taken
from tier1_engine.guidance.story import Situation, Story


@dataclass(frozen=True, slots=True)
class Way:
    """One option: its commands are typed one after the other."""

    title: str
    commands: tuple[Command, ...]


def ways(story: Story) -> list[Way]:
    """The options, the most likely first."""
    found = [_way(title, line, why) for title, line, why in _by_tier1(story)]
    if _may_delete(story):
        found.append(_script(story))
    return found


def _may_delete(story: Story) -> bool:
    return bool(story.standing) and story.situation is not Situation.DRIVEN


def _way(title: str, line: str, why: str) -> Way:
    return Way(title, (Command(line, why),))


def _by_tier1(story: Story) -> Iterator[tuple[str, str, str]]:
    id, situation = story.deployment.id, story.situation
    if situation is Situation.DRIVEN:
        yield "Follow it", f"tier1 show {id} --watch", "ends when it is no longer running"
    if situation in (Situation.INTERRUPTED, Situation.BLOCKED, Situation.STALLED):
        yield "Resume, once it is fixed", f"tier1 resume {id}", "resumes from the database"
    if situation is Situation.UNDECIDED:
        yield "Retry, once it is fixed", f"tier1 resume {id} --retry", "retries the failed step"
    if story.may_continue:
        yield "Continue without it", f"tier1 resume {id} --continue", "it counts as active, with a warning"
    if situation is not Situation.ENDED:
        yield (
            "Delete everything it created",
            settling(story),
            "in reverse order; asks for confirmation on a terminal",
        )
    yield "See every attempt", f"tier1 log {id}", "with its error and AWS's request id"


def settling(story: Story) -> str:
    """The command that closes the deployment in the database, too."""
    verb = "rollback" if story.deployment.activated_at is None else "destroy"
    return f"tier1 {verb} {story.deployment.id}"


def _script(story: Story) -> Way:
    file = f"tier1-{story.deployment.id}.sh"
    return Way(
        "Delete it with a script that uses the aws CLI",
        (
            Command(
                f"tier1 guide {story.deployment.id} -o shell >{file}",
                "checks the tags before each deletion, waits where AWS needs it, and can be run again",
            ),
            Command(f"bash {file} --yes", "without --yes, asks for confirmation"),
        ),
    )


def by_hand(story: Story) -> Way | None:
    """The manual option, line by line; None when a resource has neither id nor tags, so only the script finds
    it.
    """
    if not _may_delete(story):
        return None
    lines: list[Command] = []
    for resource in story.standing:
        found = list(_deletions(story, resource))
        if not found:
            return None
        lines += found
    lines.append(
        Command(
            f"{settling(story)} --yes", "confirms that everything is deleted, and closes it in the database"
        )
    )
    return Way("Delete it by hand, line by line", tuple(lines))


def _deletions(story: Story, resource: Resource) -> Iterator[Command]:
    """The lines that delete one resource, and wait if the next one needs it gone.

    For a resource that was never observed ready the record may be incomplete, so what must be detached is
    read from AWS.
    """
    kind, aws_id = story.kinds.get(resource.kind), resource.aws_id
    if kind is None:
        return
    recipe = kind.recipe(story.target(resource))
    if aws_id is None:
        if recipe is not None and (not recipe.evidence or recipe.untagged):
            yield Command(_found_by_tags(recipe, story), f"deletes {resource.name}, if it exists")
        return
    commands = kind.commands(aws_id, resource.facts)
    if resource.state is ResourceState.PRESENT or recipe is None:
        lines = [typed(line, story.deployment) for line in commands["delete"]]
    else:
        lines = [_about(line, aws_id, story) for line in _undone(recipe)]
    if not lines:
        return
    # A resource that is being deleted may be gone already: that is no error.
    gone = " || true" if resource.ended or resource.state is ResourceState.DELETING else ""
    *before, last = lines
    for line in before:
        yield Command(line + gone, f"deletes {resource.name}")
    if kind.holds_interfaces and commands["look"]:
        last = until_taken(last, commands["look"][0], story.deployment)
        yield Command(last, f"deletes {resource.name}, once no network interface lingers in it")
    else:
        yield Command(last + gone, f"deletes {resource.name}")
    for line in commands.get("wait", ()):
        yield Command(until_gone(line, story.deployment), f"waits until {resource.name} is deleted")


def _found_by_tags(recipe: Recipe, story: Story) -> str:
    """The search for a resource without a recorded id: by its tags, or by the name that proves ownership."""
    line = f"for id in $({recipe.find}); do {'; '.join(_undone(recipe))}; done"
    return _CALL.sub(f"aws {flags(story.deployment)} ", line)


def _undone(recipe: Recipe) -> Iterator[str]:
    for freeing in recipe.free:
        yield f"for it in $({freeing.listing}); do {freeing.command}; done"
    yield recipe.delete
    if recipe.wait is not None:
        yield recipe.wait


_CALL = re.compile(r"\baws (?=[a-z][a-z0-9-]* [a-z])")
"""The start of an `aws` command, of any service."""


def _about(line: str, aws_id: str, story: Story) -> str:
    """A recipe's line about one id, with the options for the deployment's AWS."""
    named = line.replace('"$id"', shlex.quote(aws_id)).replace("$id", aws_id)
    return _CALL.sub(f"aws {flags(story.deployment)} ", named)
