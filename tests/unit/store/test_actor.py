"""Who asked and who drives is written in the transaction of what it is about."""

from __future__ import annotations

import pytest

from tests.support.rows import AT, SteppedClock, deployment, step
from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.record import Note
from tier1_engine.deployment.states import Goal
from tier1_engine.store import lease, sweeps
from tier1_engine.store.holder import this_process
from tier1_engine.store.store import Store

ANN = Actor("arn:aws:iam::123456789012:user/ann", "ann", "desk")
BOB = Actor(None, "bob", "build-7", "https://ci.example/runs/7")


@pytest.fixture
def store(any_database_url: str) -> Store:
    return Store.open(any_database_url)


def test_each_line_names_its_command_and_the_row_names_the_last(store: Store) -> None:
    """The one who deployed stays on record; a driver does not become the one who asked last."""
    clock = SteppedClock()
    made = deployment(created_by=ANN, asked_by=ANN)
    held = lease.take_with(store, made, [step()], "asked for", this_process(ANN), 60.0, clock)
    store.request_goal("d1", lambda _: Goal.ROLLED_BACK, now=AT, actor=BOB)
    store.commit(store.load("d1"), [Note("driven")], held.fence, AT, actor=held.holder.actor)
    (summary,) = store.summaries()
    assert (summary.deployment.created_by, summary.deployment.asked_by) == (ANN, BOB)
    assert summary.holder is not None
    assert summary.holder["actor"] == ANN.to_stored()
    held = lease.renew(store, held, clock)
    (summary,) = store.summaries()
    assert summary.holder is not None
    assert (summary.holder["actor"], summary.deployment.asked_by) == (ANN.to_stored(), BOB)
    sweeps.protect(store, "d1", lambda _: ({}, "kept"), AT, BOB)
    sweeps.claim(store, "d1", "s1", None, lambda found, last: None, AT, ANN)
    sweeps.take(store, "d1", "s1", "orphans", AT, ANN)
    assert [event.actor for event in store.events("d1")] == [ANN, BOB, ANN, BOB, ANN, ANN]
    lease.release(store, held)
    lease.take(store, "d1", this_process(BOB), 60.0, clock)
    assert store.load("d1").deployment.asked_by == BOB
    store.close()


def test_text_that_no_database_takes_is_replaced(store: Store) -> None:
    """A user's or a host's name may be anything."""
    odd = Actor("arn", "a\0b", "h\udc80", None)
    store.create(deployment(created_by=odd, asked_by=odd), [step()], "asked for")
    found = store.load("d1").deployment.created_by
    assert found is not None
    assert (found.user, "\udc80" in found.host) == ("a\N{REPLACEMENT CHARACTER}b", False)
    store.close()
