"""Databases from before the record of who asks: their deployments have nobody, and their tags keep their
meaning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.old_databases import on_postgres, revision_of, sqlite_of
from tier1_engine.deployment.actor import Actor
from tier1_engine.store import database, schema, sweeps
from tier1_engine.store.store import Store

BEFORE, SINCE = Path("0003", "active"), Path("0004", "active")
ANN = Actor("arn:aws:iam::123456789012:user/ann", "ann", "build-7", "https://ci.example/runs/7")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = sqlite_of(BEFORE, tmp_path)
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    url = str(request.getfixturevalue("empty_postgres_url"))
    on_postgres(path, url, revision_of(BEFORE)).dispose()
    return url


def test_an_older_database_keeps_its_tags_and_says_nobody(old_url: str) -> None:
    """The next command is the first on record."""
    engine = database.connect(old_url)
    with engine.begin() as connection:
        connection.execute(text("""UPDATE deployments SET tagged_as = '{"team": "research"}'"""))
    schema.upgrade(engine)
    store = Store(engine)
    (summary,) = store.summaries()
    id, before = summary.deployment.id, len(store.events(summary.deployment.id))
    assert summary.deployment.tags_as_deployed == {"team": "research"}
    assert (summary.deployment.created_by, summary.deployment.asked_by) == (None, None)
    sweeps.protect(store, id, lambda _: ({}, "kept"), datetime.now(UTC), ANN)
    assert [event.actor for event in store.events(id)] == [None] * before + [ANN]
    found = store.load(id).deployment
    assert (found.created_by, found.asked_by) == (None, ANN)
    store.close()


@pytest.mark.field_case("a trial: nobody could tell who had destroyed a stack")
def test_a_database_of_0004_knows_who_made_it(tmp_path: Path) -> None:
    """Every line of its timeline names who ran the command."""
    store = Store.open(f"sqlite:///{sqlite_of(SINCE, tmp_path)}")
    (summary,) = store.summaries()
    assert (summary.deployment.created_by, summary.deployment.asked_by) == (ANN, ANN)
    assert {event.actor for event in store.events(summary.deployment.id)} == {ANN}
    store.close()
