"""Databases that answer, but refuse: read-only after a failover, without a privilege, behind a pooler.

AWS and the time are simulated; servers and connections are real. All of it counts as "unavailable": a driver
retries until its lease ends, and then reports what it holds.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from tests.support.pooler import pooled
from tests.support.simulation.failing import Undo, failed_in_the_middle, stored_on
from tests.support.simulation.faults import act
from tests.support.simulation.life import LIVES, Stage, check
from tier1_engine.engine import driver
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction

pytestmark = pytest.mark.promise(1)

CHANGES = 4
RETRY_SECONDS = 2.0
"""Each attempt opens a real connection; the time between two of them is virtual."""


@pytest.fixture(autouse=True)
def _retries_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "COMMIT_RETRY_SECONDS", RETRY_SECONDS)


def administer(url: str, *statements: str) -> None:
    """Change the database as its owner, whatever is its default."""
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(url, autocommit=True, options=options) as owner:
        for statement in statements:
            owner.execute(SQL(statement).format(me=Identifier(make_url(url).database or "")))


END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.field_case("a trial: a server that became read-only in a failover was reported as a defect")
@pytest.mark.postgres
def test_a_server_that_becomes_a_standby_goes_unnoticed_once_there_is_a_new_primary(
    postgres_url: str,
) -> None:
    """The open sessions stay on the demoted server, which refuses every write: they are replaced."""
    with stored_on(postgres_url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)

        def demote() -> None:
            for each in store.writers.idle:
                session = each.driver_connection
                assert session is not None
                session.execute("SET default_transaction_read_only = on")
                session.commit()

        stage.rig.world.after.append(act("create", "door-1", demote))
        assert stage.play(stage.life.command)
        check(stage, stage.life.ends["resume"])


@pytest.mark.postgres
def test_a_server_that_stays_read_only_ends_the_driver_and_a_resume_continues(postgres_url: str) -> None:
    """The message names the setting that finds the primary."""

    def demote() -> Undo:
        administer(postgres_url, "ALTER DATABASE {me} SET default_transaction_read_only = on", END_ALL)
        return lambda: administer(
            postgres_url, "ALTER DATABASE {me} SET default_transaction_read_only = off", END_ALL
        )

    with stored_on(postgres_url) as store:
        failed_in_the_middle(store, demote, r"is read-only \(.*\): .*target_session_attrs=read-write")


@pytest.fixture
def users(postgres_url: str) -> Iterator[tuple[str, str]]:
    """The database as a user who owns nothing in it; with the user's name."""
    url = postgres_url
    name, password = f"tier1_{secrets.token_hex(6)}", secrets.token_hex(8)
    rights = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
    use = f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}"
    administer(url, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'", rights, use)
    try:
        mine = make_url(url).set(username=name, password=password)
        yield mine.render_as_string(hide_password=False), name
    finally:
        administer(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@pytest.mark.postgres
def test_a_privilege_that_is_revoked_ends_the_driver_and_a_resume_continues(
    postgres_url: str, users: tuple[str, str]
) -> None:
    """The message says what the server denies."""
    url, name = users

    def revoke() -> Undo:
        administer(postgres_url, f"REVOKE UPDATE ON deployments FROM {name}")
        return lambda: administer(postgres_url, f"GRANT UPDATE ON deployments TO {name}")

    store = Store.open(url)
    failed_in_the_middle(store, revoke, "denies access .*permission denied for table deployments")
    store.close()


def test_an_id_that_arrives_with_a_renewal_that_fails_is_reported(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """The lease is due when the reply of a create comes, and the database is gone by then."""
    path, aside = tmp_path / "tier1.db", tmp_path / "aside"
    path.write_bytes(sqlite_template.read_bytes())
    path.chmod(0o600)
    store = Store.open(f"sqlite:///{path}")
    stage = Stage.set(LIVES["deploy"], store, 0.0)

    def late() -> None:
        path.rename(aside)
        stage.rig.clock.move_to(stage.rig.clock.seconds + stage.rig.settings.lease_seconds / 2)

    stage.rig.world.after.append(act("create", "door-1", late))
    with pytest.raises(DatabaseUnavailable, match=r"Not yet recorded: create of door-1 .* returned door"):
        stage.play(stage.life.command)
    aside.rename(path)
    store.close()


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    with pooled(postgres_url, sessions=2) as url:
        yield url


@pytest.mark.field_case("a trial: prepared statements failed behind pgbouncer in transaction mode")
@pytest.mark.postgres
@pytest.mark.pooler
def test_a_whole_life_behind_a_pooler_in_transaction_mode(pooled_url: str) -> None:
    """Each transaction may run in another session of the server, which keeps no settings and statements."""

    def reset() -> None:
        """Take the prepared statements and settings away from all sessions of the server."""
        with psycopg.connect(pooled_url) as one, psycopg.connect(pooled_url) as other:
            for each in (one, other):
                each.execute("SELECT 1")  # both have begun, each in a session of its own
            for each in (one, other):
                each.execute("DEALLOCATE ALL")

    with stored_on(pooled_url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        for number in range(1, CHANGES):
            stage.rig.world.after.append(act("create", None, reset, at=number))
        assert stage.play(stage.life.command)
        check(stage, stage.life.ends["resume"])


@pytest.mark.postgres
@pytest.mark.pooler
def test_a_transaction_behind_a_pooler_has_its_limits_and_leaves_none(pooled_url: str) -> None:
    """They are those of the transaction alone: the next client of the session is not limited."""
    store = Store.open(pooled_url, lease_seconds=30.0)
    with Transaction(store.writers) as transaction:
        shown = transaction.cursor.execute("SHOW lock_timeout").fetchone()
    store.close()
    assert shown == ("4500ms",)
    with psycopg.connect(pooled_url) as one, psycopg.connect(pooled_url) as other:
        assert [each.execute("SHOW lock_timeout").fetchone() for each in (one, other)] == [("0",)] * 2
