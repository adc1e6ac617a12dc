"""`show` and `log` name who asked and who drives, at a glance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.rows import AT, deployment
from tier1_engine.cli.screen.render.history import logged
from tier1_engine.cli.screen.render.tree import shown
from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.overview import Event, Summary
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import State, Trigger
from tier1_engine.views import as_json

ANN = Actor("arn:aws:iam::1:user/ann", "ann", "desk")
BOB = Actor(None, "bob", "build-7", "https://ci/7")
SAYS_ANN, SAYS_BOB = "arn:aws:iam::1:user/ann (ann@desk)", "bob@build-7, https://ci/7"


def tree(asked_by: Actor | None, driver: Actor | None) -> str:
    whole = deployment(asked_by=asked_by)
    holder = {"host": "desk", "pid": 7, "actor": driver.to_stored() if driver else None}
    summary = Summary(whole, holder, AT, AT + timedelta(minutes=1), 0)
    record = Record(whole, {}, {}, {})
    found = as_json.of_record(record, summary, driven=True, console_url=lambda *_: None)
    return shown(found, AT)


def test_show_names_who_asked_last_and_who_drives() -> None:
    """Once, if it is the same; nobody, if an earlier version wrote the row."""
    both = tree(BOB, ANN)
    assert f"last command by {SAYS_BOB}" in both
    assert f"locked by desk (pid 7) since 2026-01-01T00:00:00.000Z, run by {SAYS_ANN}" in both
    assert tree(ANN, ANN).count(SAYS_ANN) == 1
    assert " by " not in tree(None, None).replace("locked by", "")


def line(event: Event, last: Actor | None = None) -> str:
    (entry,) = as_json.in_order([], [event])
    return logged(entry, last.to_stored() if last else None)


def test_log_names_who_on_the_line_of_each_command() -> None:
    """The lines of a run name somebody only if it is another than before."""
    asked: dict[str, Any] = {"trigger": None, "from_state": None, "to_state": None, "step": None}
    request = Event(AT, **asked, message="requested: destroyed", actor=ANN)
    assert line(request, ANN).endswith(f"requested: destroyed (by {SAYS_ANN})")
    move = Event(AT, Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, None, "", BOB)
    assert line(move, BOB).endswith("pending -> provisioning_network")
    assert line(move, ANN).endswith(f"provisioning_network (by {SAYS_BOB})")
    older = Event(AT, **asked, message="requested: destroyed")
    assert line(older).endswith("requested: destroyed")
