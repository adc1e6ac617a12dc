"""Asks on a terminal what to do with a failed deployment.

Owns the prompt only, not what follows. It asks after `failed` is committed and the lease is released, so
that other commands need not wait. An answer to an outdated question is not carried out.
"""

from __future__ import annotations

import sys
import termios
from collections.abc import Sequence
from contextlib import suppress

from tier1_engine.cli.screen import choices
from tier1_engine.cli.screen.choices import Way
from tier1_engine.cli.screen.render.base import wrapped
from tier1_engine.cli.screen.streams import read_line, say
from tier1_engine.deployment.record import Deployment, Record
from tier1_engine.deployment.standing import asks_for_a_decision
from tier1_engine.engine.engine import Resume
from tier1_engine.errors import Interrupted
from tier1_engine.store.store import Store
from tier1_engine.views.prices import Prices

MAX_ANSWERS = 100
"""The most answers that one prompt accepts; nobody needs more."""


def ask(store: Store, record: Record, prices: Prices) -> tuple[Resume | None, Record]:
    """Return the operator's choice and the current record; None leaves the deployment as it is.

    Raises:
        Interrupted: Ctrl-C, or a signal to terminate.
    """
    try:
        return _ask(store, record, prices)
    except KeyboardInterrupt:
        deployment = record.deployment
        say("")
        raise Interrupted(
            f"{deployment.name} was not changed ({deployment.state}): "
            f"`tier1 resume {deployment.id}` asks again."
        ) from None


def _ask(store: Store, record: Record, prices: Prices) -> tuple[Resume | None, Record]:
    _show(record, prices)
    for _ in range(MAX_ANSWERS):
        answer = read_line(f"What do you want to do with {record.deployment.name}? [r/c/b/m/?] (m) ")
        if answer is None:
            say("")
            return None, store.load(record.deployment.id)
        now = store.load(record.deployment.id)
        if _is_another(now.deployment, record.deployment):
            say(f"Somebody else has changed {now.deployment.name}: it is {now.deployment.state} now.")
            if not asks_for_a_decision(now.deployment):
                return None, now
            record = now
            _show(record, prices)
            continue
        offered = choices.ways(record, prices)
        way = choices.chosen(answer, offered)
        if way is None or not way.possible:
            _refuse(way, offered)
        elif way.key == choices.MORE:
            say(wrapped(choices.in_full(record, store.attempts(record.deployment.id))))
        else:
            return way.how, now
    return None, record


def _refuse(way: Way | None, offered: Sequence[Way]) -> None:
    if way is not None:
        say(way.does)
    keys = ", ".join(way.key for way in offered if way.possible)
    say(f"Answer one of: {keys}.")


def _is_another(now: Deployment, then: Deployment) -> bool:
    """Whether the deployment has changed since the question was shown."""
    return (now.revision, now.state, now.goal, now.retain) != (
        then.revision,
        then.state,
        then.goal,
        then.retain,
    )


def _show(record: Record, prices: Prices) -> None:
    """Print the question, and discard input that was typed before it."""
    say("")
    say(wrapped(choices.question(record, prices)))
    with suppress(termios.error, OSError, ValueError):  # the terminal is gone: reading will report it
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
