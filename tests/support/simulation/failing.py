"""A database that really fails under a driver, on a simulated cloud and clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.simulation.faults import act
from tests.support.simulation.life import LIVES, WAYS_OUT, Stage, check
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store import database, schema
from tier1_engine.store.store import Store

Undo = Callable[[], object]


def failed_in_the_middle(store: Store, fail: Callable[[], Undo], sentence: str) -> None:
    """A deployment whose database fails while a door is created, and the resume once it is repaired."""
    stage = Stage.set(LIVES["deploy"], store, 0.0)
    undo: list[Undo] = []
    sent: list[int] = []

    def happens() -> None:
        undo.append(fail())
        sent.append(len(stage.rig.world.calls))

    stage.rig.world.after.append(act("create", "door-1", happens))
    with pytest.raises(DatabaseUnavailable, match=sentence) as raised:
        stage.play(stage.life.command)
    assert raised.value.exit_code == 9
    changing = [call for call, _ in stage.rig.world.calls[sent[0] :] if call in ("create", "set", "delete")]
    assert set(changing) <= {"create"}, "only what had been committed together with it goes out"
    assert len(changing) <= 1
    for repair in undo:
        repair()
    assert stage.play(WAYS_OUT["resume"])
    check(stage, stage.life.ends["resume"])


@contextmanager
def stored_on(url: str) -> Iterator[Store]:
    engine = database.connect(url)
    schema.upgrade(engine)
    engine.dispose()
    store = Store.open(url)
    try:
        yield store
    finally:
        store.close()
