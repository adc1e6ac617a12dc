"""The script of a guide: bash that finds, verifies and deletes the remaining owned resources with `aws`.

Owns the conversion of the kinds' recipes into functions, and their order. The constant part is `script.sh`,
which needs bash 3.2 and the `aws` command line, version 1 or 2. Every value is quoted; no part of a name or
tag is ever interpreted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from tier1_engine.contract.manual import Recipe
from tier1_engine.deployment.place import is_local
from tier1_engine.deployment.record import Resource
from tier1_engine.deployment.standing import recorded_ids, unaccounted_creates
from tier1_engine.failures.codes import SERVER_CODES, THROTTLE_CODES
from tier1_engine.guidance.facts import GuideFacts, Situation
from tier1_engine.guidance.lines import flags
from tier1_engine.guidance.ways import settling


def script(facts: GuideFacts) -> str:
    """The whole script. When nothing is left to delete, it says so and exits with 0."""
    rows = _rows(facts)
    if facts.situation is Situation.ENDED or not rows:
        return "".join((_head(facts), f"echo {shlex.quote(_nothing(facts))} >&2\n"))
    removed = [(number, row, recipe) for number, (row, recipe) in enumerate(rows, start=1) if recipe]
    by_hand = [row for row, recipe in rows if recipe is None]
    functions = "\n".join(_functions(number, recipe) for number, _, recipe in removed)
    calls = "".join(_remove(facts, number, row, recipe) for number, row, recipe in removed)
    names = " ".join(shlex.quote(_words(facts, row)) for row, _ in rows)
    left = "".join(
        f"give_up {shlex.quote(row.name)} {shlex.quote(_why_by_hand(facts, row))}\n" for row in by_hand
    )
    return "".join(
        (
            _head(facts),
            _settings(facts),
            _body(),
            "\n# --- what is deleted\n\n",
            functions,
            "\n# --- in reverse order of dependency\n\n",
            f"refuse_while_driven\nrefuse_other_account\nask {names}\n",
            calls,
            left,
            "settle\n",
        )
    )


def _rows(facts: GuideFacts) -> list[tuple[Resource, Recipe | None]]:
    """One row for each tag: resources made with different keys for one intent are found together.

    A row that shares its tag with a retained resource is left out.
    """
    kept = {row.tagged_as for row in facts.kept}
    rows = {row.tagged_as: row for row in reversed(facts.standing) if row.tagged_as not in kept}
    found = []
    for row in reversed(rows.values()):
        kind = facts.kinds.get(row.kind)
        found.append((row, kind.recipe(facts.target(row)) if kind else None))
    return found


def _why_by_hand(facts: GuideFacts, row: Resource) -> str:
    if row.kind in facts.kinds:
        return "no command deletes this kind: delete it by hand"
    return f"the package of the kind {row.kind} is not installed here: install it, or delete it by hand"


def _nothing(facts: GuideFacts) -> str:
    return f"{facts.title} is {facts.deployment.state}: there is nothing to delete."


def _words(facts: GuideFacts, row: Resource) -> str:
    return f"{row.name}: {facts.title_of(row.kind)} {row.aws_id or '(found by its tags)'}"


def _head(facts: GuideFacts) -> str:
    kept = "".join(f"# Retained on request: {row.name} {row.aws_id}\n" for row in facts.kept)
    return (
        "#!/usr/bin/env bash\n"
        f"# Made by: tier1 guide {facts.deployment.id} -o shell\n"
        f"# Deletes what {facts.title} created, in reverse order, and nothing without its tags.\n"
        "# It can be stopped and run again. Console output is saved next to it.\n"
        f"{kept}"
        "set -euo pipefail\n"
        "set -f # ids and tags are words, never patterns\n"
    )


def _settings(facts: GuideFacts) -> str:
    deployment = facts.deployment
    values: Mapping[str, str] = {
        "DEPLOYMENT": deployment.id,
        "ACCOUNT": deployment.account_id,
        "REGION": deployment.region,
        "SETTLE": settling(facts).split()[1],
        "LIMIT_SECONDS": str(int(deployment.delete_seconds)),
        "BUSY": " ".join(sorted(THROTTLE_CODES | SERVER_CODES)),
        "LEND": "yes" if is_local(deployment.endpoint, deployment.profile) else "",
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join(
        (
            "",
            *lines,
            "export AWS_PAGER='' AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
            f'aws() {{ command aws {flags(deployment)} "$@"; }}',
            "",
        )
    )


@cache
def _body() -> str:
    return Path(__file__).with_name("script.sh").read_text(encoding="utf-8")


def _functions(number: int, recipe: Recipe) -> str:
    """The functions that `script.sh` calls for one resource: find, proved and delete, with their helpers."""
    lines = [f"find_{number}() {{ {recipe.find}; }}", *_proved(number, recipe)]
    steps = []
    if recipe.keep is not None:
        lines.append(f"keep_{number}() {{ {recipe.keep}; }}")
        steps.append(f'keep keep_{number} "tier1-$id-console.txt"')
    for part, freeing in enumerate(recipe.free, start=1):
        lines.append(f"list_{number}_{part}() {{ {freeing.listing}; }}")
        lines.append(f"take_{number}_{part}() {{ {freeing.command}; }}")
        steps.append(f"free list_{number}_{part} take_{number}_{part} {_codes(freeing.fine)} || return 1")
    lines.append(f"end_{number}() {{ {recipe.delete}; }}")
    steps.append(f"attempt end_{number} || return 1")
    body = "".join(f"  {step}\n" for step in steps)
    return "\n".join((*lines, f"delete_{number}() {{\n{body}}}\n"))


def _proved(number: int, recipe: Recipe) -> list[str]:
    """A function that checks whether `$id` is owned; resources that `find` selects by tag need no further
    check.
    """
    if not recipe.evidence:
        return [f"proved_{number}() {{ :; }}"]
    wanted = " ".join(shlex.quote(f"{tag}={value}") for tag, value in recipe.proof.items())
    lines, checks = [], []
    for part, evidence in enumerate(recipe.evidence, start=1):
        lines.append(f"tags_{number}_{part}() {{ {evidence}; }}")
        checks.append(f"  ! attempt tags_{number}_{part} || ! holds {wanted} || return 0\n")
        if recipe.untagged:
            checks.append("  ! untagged || return 0\n")
    return [*lines, f"proved_{number}() {{\n{''.join(checks)}  return 1\n}}"]


def _remove(facts: GuideFacts, number: int, row: Resource, recipe: Recipe) -> str:
    kind = facts.kinds[row.kind]
    absent, waited_out = _codes(recipe.absent | kind.gone), _codes(kind.in_use)
    recorded = shlex.quote(row.aws_id or "")
    lingers = "yes" if recipe.lingers else "''"
    of_row = f"{number} {shlex.quote(row.name)} {recorded}"
    return f"remove {of_row} {absent} {waited_out} {lingers} {_known(facts, row)}\n"


def _known(facts: GuideFacts, row: Resource) -> str:
    """The ids on record, and how many others its creates may have made: tags may be copies."""
    alike = [r for r in facts.record.resources.values() if (r.kind, r.tagged_as) == (row.kind, row.tagged_as)]
    ids = set().union(*(recorded_ids(facts.record, one) for one in alike))
    others = sum(unaccounted_creates(facts.record, one) for one in alike)
    return f"{shlex.quote(' '.join(sorted(ids)))} {others}"


def _codes(codes: Iterable[str]) -> str:
    return shlex.quote(" ".join(sorted(codes)))
