"""The prompt after a failure: asks what to do with a deployment, on a terminal.

Owns the asking and nothing of what follows. It is asked once `failed` is committed and the lease is
released: whoever else acts meanwhile is not kept waiting, and an answer to what is no longer so is
not carried out.
"""

from __future__ import annotations

import sys
import termios
from collections.abc import Sequence
from contextlib import suppress

from tier1_engine.cli.screen import choices
from tier1_engine.cli.screen.choices import Way
from tier1_engine.cli.screen.render.base import wrapped
from tier1_engine.cli.screen.streams import Quiet, say
from tier1_engine.deployment.record import Deployment, Record
from tier1_engine.deployment.standing import asks_for_a_decision
from tier1_engine.engine.engine import Resume
from tier1_engine.errors import Interrupted
from tier1_engine.store.store import Store
from tier1_engine.views.prices import Prices

MAX_ANSWERS = 100
"""How many answers one prompt takes; nobody needs more."""


def ask(store: Store, record: Record, prices: Prices) -> tuple[Resume | None, Record]:
    """What shall be done, and the record as it is then; None to leave it as it is.

    Raises:
        Interrupted: Ctrl-C, or a signal to end.
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
        answer = _read(f"What do you want to do with {record.deployment.name}? [r/c/b/m/?] (m) ")
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
    """Whether somebody has acted since."""
    return (now.revision, now.state, now.goal, now.retain) != (
        then.revision,
        then.state,
        then.goal,
        then.retain,
    )


def _show(record: Record, prices: Prices) -> None:
    """The question. What was typed before it was seen is no answer to it."""
    say("")
    say(wrapped(choices.question(record, prices)))
    with suppress(termios.error, OSError, ValueError):  # the terminal is gone: the reading will say so
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _read(prompt: str) -> str | None:
    """A line of the operator's; None at the end of their input."""
    Quiet().write(prompt)
    try:
        return sys.stdin.readline() or None
    except OSError:  # the terminal has hung up
        return None
