"""A sweep that was killed under an older schema is recognised under today's, and its plan can be applied
again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.old_databases import on_postgres, revision_of, sqlite_of
from tier1_engine.store import database, schema, sweeps
from tier1_engine.store.store import Store

BEFORE = Path("0002", "failed")
SWEEP = "0123456789abcdef0123"
ANOTHER = "ffffffffffffffffffff"
AT = "2026-01-01T00:00:00.000000Z"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = sqlite_of(BEFORE, tmp_path)
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    url = str(request.getfixturevalue("empty_postgres_url"))
    on_postgres(path, url, revision_of(BEFORE)).dispose()
    return url


def test_the_upgrade_reads_the_sweep_from_what_0002_wrote(old_url: str) -> None:
    """A text that only begins like it names no sweep."""
    engine = database.connect(old_url)
    with engine.begin() as connection:
        id = connection.execute(text("SELECT id FROM deployments")).scalar_one()
        last = connection.execute(text("SELECT max(id) FROM events")).scalar_one()
        for message in (f"asked for by sweep {SWEEP}: rolled_back", "asked for by sweep of the floor: done"):
            connection.execute(
                text("INSERT INTO events (deployment_id, at, message) VALUES (:id, :at, :message)"),
                {"id": id, "at": AT, "message": message},
            )
    schema.upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT sweep_id FROM events WHERE id > :last ORDER BY id"), {"last": last}
        )
        assert found.scalars().all() == [SWEEP, None]
    store = Store(engine)
    assert sweeps.taken_since(store, id, last, {SWEEP})
    assert not sweeps.taken_since(store, id, last, {ANOTHER})
    store.close()


def test_the_text_of_an_event_names_no_sweep(tmp_path: Path) -> None:
    """Only the column counts: an operator's reason may be any text."""
    path = sqlite_of(BEFORE, tmp_path)
    store = Store.open(f"sqlite:///{path}")
    (summary,) = store.summaries()
    id, now = summary.deployment.id, datetime.now(UTC)
    sweeps.protect(store, id, lambda _: ({"keep_until": now}, f"asked for by sweep {SWEEP}: kept"), now)
    last = store.events(id)[-1]
    assert last.message.startswith(f"asked for by sweep {SWEEP}")
    before = len(store.events(id)) - 1
    with store.reading() as connection:
        ids = connection.execute(text("SELECT id FROM events ORDER BY id")).scalars().all()
    assert not sweeps.taken_since(store, id, ids[before - 1], {SWEEP})
    sweeps.take(store, id, SWEEP, "what remained", now)
    assert sweeps.taken_since(store, id, ids[before], {SWEEP})
    store.close()
