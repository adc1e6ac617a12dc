"""A stale driver's commit meets the transaction in which another driver takes the deployment over.

Two real connections are used. Under READ COMMITTED an UPDATE evaluates its condition again once it has the
lock, and one on the row's id still holds: only locking the row before comparing the fence keeps the stale
driver out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.support.rows import AT, SteppedClock, driven
from tests.support.waiting import SEEN_SECONDS, until_somebody_waits
from tier1_engine.deployment.record import Note, StepSet
from tier1_engine.errors import LeaseLost
from tier1_engine.store import store
from tier1_engine.store.fence import check_fence
from tier1_engine.store.holder import this_process
from tier1_engine.store.lease import take
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(6)

LONG_AFTER = 10_000.0
LOOK_SECONDS = 0.5


@contextmanager
def instead_of(of: Store, name: str, act: Callable[[Callable[[], object]], None]) -> Iterator[None]:
    """Act in place of the commit or the begin of a store's transactions; the act receives the original."""
    dialect: Any = of.engine.dialect
    usual = getattr(dialect, name)
    setattr(dialect, name, lambda connection: act(lambda: usual(connection)))
    try:
        yield
    finally:
        setattr(dialect, name, usual)


def until_it_waits(url: str, begun: threading.Event, compared: threading.Event) -> None:
    """Wait until the stale commit waits for a lock and has not read the fence.

    Postgres reports the waiting session. SQLite does not: there the test waits for as long as a read would
    take.
    """
    assert begun.wait(SEEN_SECONDS)
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as watching:
            until_somebody_waits(watching)
    else:
        compared.wait(LOOK_SECONDS)
    assert not compared.is_set(), "it compared its fence with a row that it had not locked"


def test_a_commit_that_waited_for_a_takeover_writes_nothing(
    any_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """It begins after the other driver has written its term, and before that is committed."""
    stale, other = Store.open(any_database_url), Store.open(any_database_url)
    record, old = driven(stale)
    begun, compared = threading.Event(), threading.Event()
    ends: list[str] = []

    def write() -> None:
        try:
            stale.commit(record, [StepSet("net", {"attempts": 9}), Note("never")], old.fence, AT)
        except LeaseLost:
            ends.append("lost")
        else:
            ends.append("written")

    def look(*values: Any) -> None:
        compared.set()
        check_fence(*values)

    monkeypatch.setattr(store, "check_fence", look)
    thread = threading.Thread(target=write)

    def at_commit(commit: Callable[[], object]) -> None:
        thread.start()
        until_it_waits(any_database_url, begun, compared)
        commit()

    def at_begin(begin: Callable[[], object]) -> None:
        begun.set()
        begin()

    with instead_of(other, "do_commit", at_commit), instead_of(stale, "do_begin", at_begin):
        new = take(
            other, "d1", replace(this_process(), host="elsewhere"), 60.0, SteppedClock(seconds=LONG_AFTER)
        )
        thread.join(SEEN_SECONDS)
    assert compared.is_set()
    assert new.term == old.term + 1
    assert ends == ["lost"]
    assert other.load("d1").steps["net"].attempts == 0
    assert "never" not in [event.message for event in other.events("d1")]
    other.commit(other.load("d1"), [StepSet("net", {"attempts": 1})], new.fence, AT)
    stale.close()
    other.close()
    record_property("points", 1)
