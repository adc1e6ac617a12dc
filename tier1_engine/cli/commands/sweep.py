"""`tier1 sweep`: options, confirmation, output, and the exit code.

Owns the confirmation before the first deletion. The package `sweep` decides what is swept, and how.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.sign_in import Sessions, signed_in
from tier1_engine.cli.screen.streams import clean, complain, confirm, interactive, put, put_json, say
from tier1_engine.cli.signals import Signals
from tier1_engine.compose import plugins
from tier1_engine.compose import sweep as compose
from tier1_engine.compose.engine import opened_store
from tier1_engine.engine.equipment import Stop
from tier1_engine.errors import Refused
from tier1_engine.settings import from_environment
from tier1_engine.spec.values import duration
from tier1_engine.store import sweeps
from tier1_engine.survey.around import places
from tier1_engine.sweep.plan import (
    Plan,
    foreign_reported,
    narrowed,
    of_gap,
    of_item,
    of_plan,
    read,
    unfitting,
    written,
)
from tier1_engine.sweep.rules import DEPLOYMENT, Choice, Interrupted
from tier1_engine.sweep.sweep import SweepSetup, Swept, carry_out, of_result, summary, survey
from tier1_engine.views.as_json import moment

if TYPE_CHECKING:
    from tier1_engine.contract.kind import Registry
    from tier1_engine.store.store import Store

MAX_PLAN_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of one `tier1 sweep`. Durations are unparsed text."""

    older_than: str = "24h"
    dry_run: bool = False
    save: Path | None = None
    apply: Path | None = None
    orphans: bool = False
    foreign: bool = False
    interrupted: Interrupted | None = None
    max_deletions: int = 200
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    regions: Sequence[str] = ()
    plan_max_age: str = "24h"
    yes: bool = False
    output: Output = Output.TABLE


def run(asked: Asked, signals: Signals) -> int:
    """Sweep; return the exit code."""
    choice = _choice(asked)
    settings = from_environment()
    stop = Stop()
    with opened_store(settings) as store:
        registry = plugins.registry(complain)
        _refuse_unknown_kinds(asked.only, registry)
        sessions = Sessions(settings)
        ground = compose.ground(
            store,
            settings,
            registry,
            stop,
            sessions,
            tell=lambda text: say(f"tier1: {clean(text)}"),
            warn=complain,
        )
        whole = _plan(asked, choice, ground, sessions)
        plan = narrowed(whole, asked.only, asked.exclude)
        for word in unfitting(whole, asked.exclude):
            say(f"tier1: --exclude {clean(word)}: nothing in the plan has this id or name")
        if asked.save is not None:
            _save(asked.save, plan)
        if asked.dry_run:
            return _only_planned(plan, asked)
        plan = _without_foreign(plan)
        _ask(plan, asked)
        sessions.sign_in(item.place for item in plan.items)
        with signals.driving(stop, lambda: say("tier1: stopping: finishing calls in flight"), _nothing):
            swept = carry_out(ground, plan)
    _print(swept, asked.output)
    return swept.exit_code


def _nothing() -> None:
    """Do nothing: there is no screen to restore."""


# --- options


def _choice(asked: Asked) -> Choice:
    """Return the options that the rules need.

    Raises:
        Refused: options exclude each other, or a duration is not valid.
    """
    selecting = asked.orphans or asked.foreign or asked.interrupted or asked.regions
    if asked.apply is not None and (selecting or asked.save is not None):
        raise Refused(
            "--apply carries out the plan and nothing else: omit --orphans, --foreign, --interrupted, "
            "--region and --save."
        )
    if asked.foreign and asked.save is None:
        raise Refused(
            "--foreign may include another operator's live stack, so it needs --save: save "
            "the plan, review it, then use `tier1 sweep --apply PLAN`."
        )
    return Choice(_span("--older-than", asked.older_than), asked.orphans, asked.foreign, asked.interrupted)


def _span(option: str, text: str) -> float:
    if text in ("0", "0s"):
        return 0.0
    try:
        return duration(text)
    except ValueError as error:
        raise Refused(f"{option} is {text!r}, but {error}.") from None


def _refuse_unknown_kinds(only: Sequence[str], registry: Registry) -> None:
    known = {*registry.kinds, DEPLOYMENT}
    if unknown := [kind for kind in only if kind not in known]:
        raise Refused(f"--only {unknown[0]}: no such kind; available: {', '.join(sorted(known))}.")


def _plan(asked: Asked, choice: Choice, ground: SweepSetup, sessions: Sessions) -> Plan:
    if asked.apply is None:
        nowhere = choice.reads_aws and asked.regions and not ground.store.summaries(limit=1)
        here = compose.here(sessions.settings, signed_in) if nowhere else None
        if choice.reads_aws:
            known = sweeps.all_known(ground.store, lambda holder, expires_at: None)
            sessions.sign_in(places(known, asked.regions, here))
        return survey(ground, choice, asked.regions, here)
    try:
        with asked.apply.open(encoding="utf-8") as file:
            text = file.read(MAX_PLAN_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Refused(f"The plan {asked.apply} cannot be read ({reason}): give another file.") from error
    return read(
        text,
        database_id=ground.store.database_id,
        now=ground.clock.now(),
        max_age_seconds=_span("--plan-max-age", asked.plan_max_age),
    )


# --- before the first deletion


def _without_foreign(plan: Plan) -> Plan:
    """Only report foreign resources: they are deleted only by a reviewed plan."""
    return plan if plan.reviewed else foreign_reported(plan)


def _ask(plan: Plan, asked: Asked) -> None:
    """Ask the operator to confirm the deletions.

    Raises:
        Refused: there is no terminal to ask on, the answer is no, or the plan exceeds the limit.
    """
    can_ask = interactive() and not asked.yes
    if not asked.yes and not can_ask:
        _say_plan(plan)
        where = f" The plan is in {asked.save}." if asked.save else ""
        raise Refused(
            "Nothing was deleted: there is no terminal to ask on: give --yes, or --dry-run to preview."
            + where
        )
    too_many = plan.deletions > asked.max_deletions
    if too_many and not can_ask:
        raise Refused(
            f"Nothing was deleted: the plan has {plan.deletions} deletions, and --max-deletions is "
            f"{asked.max_deletions}. Review it with --dry-run, then raise the limit."
        )
    if can_ask and plan.items:
        _say_plan(plan)
        limit = f", more than --max-deletions {asked.max_deletions}" if too_many else ""
        count = f"{plan.deletions} {'deletion' if plan.deletions == 1 else 'deletions'}"
        if not confirm(f"{count}{limit}. Continue?"):
            raise Refused("Nothing was changed.")


def _say_plan(plan: Plan) -> None:
    from tier1_engine.cli.screen.render.sweeping import planned

    say(planned(of_plan(plan), [of_item(item) for item in plan.left_out]))


def _save(path: Path, plan: Plan) -> None:
    """Write the plan atomically to a private file."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(written(plan))
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(
            f"The plan cannot be written to {path} ({error.strerror}): give another file."
        ) from error


# --- results


def _only_planned(plan: Plan, asked: Asked) -> int:
    """Print what would be done. Nothing is changed."""
    line = summary({**Swept("", plan, ()).counts, "deleted": 0})
    left_out = [of_item(item) for item in plan.left_out]
    if asked.output is Output.JSON:
        put_json({**of_plan(plan), "left_out": left_out})
        say(line)
    else:
        from tier1_engine.cli.screen.render.sweeping import planned

        put(planned(of_plan(plan), left_out))
        put(line)
    if asked.save is not None:
        plan_file = shlex.quote(str(asked.save))
        say(f"tier1: the plan is in {plan_file}; after reviewing it: tier1 sweep --apply {plan_file}")
    return 0


def _print(swept: Swept, output: Output) -> None:
    line = summary(swept.counts)
    found = as_json(swept)
    if output is Output.JSON:
        put_json(found)
        say(line)
        return
    from tier1_engine.cli.screen.render.sweeping import done

    put(done(found))
    put(line)


def as_json(swept: Swept) -> dict[str, Any]:
    """Return the result of a sweep as `-o json` prints it."""
    return {
        "id": swept.id,
        "exit_code": swept.exit_code,
        **swept.counts,
        "items": [of_result(result) for result in swept.results],
        "left_out": [of_item(item) for item in swept.plan.left_out],
        "reports": [of_item(item) for item in swept.plan.marking.reported],
        "not_looked_at": [of_gap(gap) for gap in swept.plan.gaps],
    }


def history(limit: int, output: Output) -> int:
    """Print the recorded sweeps, newest first; return the exit code."""
    with opened_store(from_environment()) as store:
        found = on_record(store, limit)
    if output is Output.JSON:
        put_json(found)
    else:
        from tier1_engine.cli.screen.render.sweeping import remembered

        put(remembered(found))
    return 0


def on_record(store: Store, limit: int) -> list[dict[str, Any]]:
    """Return the sweeps as JSON values, newest first. One without an exit code is running or was killed."""
    return [
        {
            "id": one.id,
            "begun_at": moment(one.begun_at),
            "ended_at": moment(one.ended_at),
            "host": one.host,
            "pid": one.pid,
            "exit_code": one.exit_code,
            "marked": one.marked,
            "deleted": one.deleted,
            "skipped": one.skipped,
            "remained": one.remained,
            "reported": one.reported,
            "items": list(one.results),
            "plan": one.plan,
        }
        for one in sweeps.history(store, limit)
    ]
