"""Opening the database: the guarantees of every connection, and a message for every failure."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from tests.support.rows import deployment, step
from tier1_engine.errors import ConfigurationError, DatabaseUnavailable, DrivenByAnother, SchemaError
from tier1_engine.store import database, schema, sqlite_file
from tier1_engine.store.store import Store
from tier1_engine.store.tables import SCHEMA_REVISION
from tier1_engine.store.transactions import Transaction

postgres = pytest.mark.postgres

OPENERS = 4
NEW_FILES = 40


def path_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def stamp(url: str, revision: str) -> None:
    """Make a database look as if another release had made it."""
    engine = database.connect(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": revision})
    engine.dispose()


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}


# --- URLs


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/name", "is not supported"),
        ("not a url", "is not supported"),
        ("oracle+odd://x", "is not supported"),
        ("sqlite://", "names no file"),
    ],
)
def test_an_unsupported_url_is_refused(url: str, sentence: str) -> None:
    """It exits with 2, names the variable and says what to write."""
    with pytest.raises(ConfigurationError, match=rf"TIER1_DATABASE_URL {sentence}.*use sqlite:///FILE"):
        database.connect(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://me:half@secret@127.0.0.1/name", "contains an @: write it as %40"),
        ("postgresql://me@127.0.0.1:port/name", "The port in TIER1_DATABASE_URL is not a number"),
        ("postgresql://me@127.0.0.1/name?optoins=x", 'invalid connection option "optoins"'),
    ],
)
def test_a_mistake_in_a_url_is_named_without_its_password(url: str, sentence: str) -> None:
    """It exits with 2, before anything is contacted."""
    with pytest.raises(ConfigurationError) as refusal:
        database.connect(url)
    assert sentence in str(refusal.value)
    assert "secret" not in str(refusal.value)


@postgres
@pytest.mark.parametrize("given", ["in the URL", "in PGOPTIONS"])
def test_the_options_of_the_operator_are_respected(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """The time-outs are added to them."""
    if given == "in the URL":
        postgres_url += ("&" if "?" in postgres_url else "?") + "options=-c%20search_path%3Dmine"
    else:
        monkeypatch.setenv("PGOPTIONS", "-c search_path=mine")
    engine = database.connect(postgres_url, lease_seconds=30.0)
    with engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {n}").scalar() for n in ("search_path", "lock_timeout")]
    assert shown == ["mine", "4500ms"]
    engine.dispose()


@pytest.mark.field_case("a trial: the password in the URL of a database was printed")
@pytest.mark.parametrize("query", ["", "?password=secret", "?sslpassword=secret&sslmode=prefer"])
def test_a_password_is_never_shown(query: str) -> None:
    """No message about the database contains it, wherever in the URL it is."""
    engine = database.connect(f"postgresql://me:secret@127.0.0.1:1/name{query}")
    assert "secret" not in database.describe(engine)
    with pytest.raises(DatabaseUnavailable, match=r"cannot be reached.*check TIER1_DATABASE_URL") as error:
        schema.ensure_schema(engine)
    assert "secret" not in str(error.value)


# --- SQLite


def test_a_new_file_is_private_with_its_companions(tmp_path: Path) -> None:
    """The file, its -wal and its -shm have mode 0600, and a new folder 0700."""
    folder = tmp_path / "new" / "deep"
    old = os.umask(0)
    try:
        store = Store.open(f"sqlite:///{folder / 'tier1.db'}")
        store.create(deployment(), [step()], "")
    finally:
        os.umask(old)
    assert {p.name for p in folder.iterdir()} == {"tier1.db", "tier1.db-wal", "tier1.db-shm"}
    assert modes(folder) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    store.close()


def test_every_connection_has_the_required_settings(sqlite_url: str) -> None:
    """They are WAL, FULL, foreign keys, and a busy time-out."""
    engine = database.connect(sqlite_url)
    with engine.connect().execution_options(reads_only=True) as connection:
        answers = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert answers == ["wal", 2, 1, int(database.BUSY_SECONDS * 1000)]
    engine.dispose()


def test_a_second_writer_waits_and_then_writes(sqlite_url: str) -> None:
    """A writing transaction locks at once, so two of them cannot both read and then fail."""
    first, second = database.connect(sqlite_url), database.connect(sqlite_url)
    begun, results = threading.Event(), []

    def write() -> None:
        begun.set()
        with second.begin() as connection:
            results.append(connection.execute(text("SELECT count(*) FROM events")).scalar())

    with first.begin() as connection:
        thread = threading.Thread(target=write)
        thread.start()
        begun.wait(10)
        connection.execute(text("UPDATE installation SET id = id"))
    thread.join(30)
    assert results == [0]
    first.dispose()
    second.dispose()


def test_a_lasting_lock_is_reported_with_the_process_that_holds_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen writer locks the file until it is killed, so the message names it."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); "
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path_of(sqlite_url))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        store = Store(database.connect(sqlite_url))
        with pytest.raises(
            DatabaseUnavailable,
            match=rf"locked by another process.*stop the process .*process {holder.pid}\)",
        ):
            store.create(deployment(), [step()], "")
        holder.communicate(b"\n")
    store.create(deployment(), [step()], "")
    store.close()


def test_the_holder_of_a_lock_may_be_unknown(sqlite_url: str) -> None:
    """It may be another user's process, or another system: the message says so."""
    engine = database.connect(sqlite_url)
    assert database._openers(engine) == "its process could not be found"  # noqa: SLF001
    engine.dispose()


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """The message says what to do, and no byte is changed."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match=r"is not a SQLite database: set TIER1_DATABASE_URL"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """There is a file in the folder's place."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        DatabaseUnavailable, match=r"cannot be written.*set another file in TIER1_DATABASE_URL"
    ):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'tier1.db'}")


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    """It cannot be opened as a file."""
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        Store.open(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "ext4", "9p"])
def test_a_file_on_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It exits with 2 and creates nothing; a local disk, or one shared by a host with its guest, is used."""
    found = tmp_path.stat().st_dev
    device = f"{os.major(found)}:{os.minor(found)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 253:1 / / rw,relatime shared:1 - xfs /dev/vda1 rw\nnothing to read\n"
        f"36 22 {device} / /mnt/my - disk rw master:1 - {kind} server:/export rw\n"
    )
    monkeypatch.setattr(sqlite_file, "MOUNTS", mounts)
    url = f"sqlite:///{tmp_path / 'new' / 'deep' / 'tier1.db'}"
    if kind in ("ext4", "9p"):
        Store.open(url).close()
        return
    with pytest.raises(ConfigurationError, match=rf"on a network file system \({kind}\).*on a local disk"):
        Store.open(url)
    assert not (tmp_path / "new").exists()


def test_where_mounts_cannot_be_read_a_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux lists them there."""
    monkeypatch.setattr(sqlite_file, "MOUNTS", tmp_path / "missing")
    Store.open(f"sqlite:///{tmp_path / 'tier1.db'}").close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_vanishes_in_use_is_noticed(sqlite_url: str, replaced: bool) -> None:
    """Writes to a deleted file would be lost silently; no new, empty one is made in its place."""
    store, path = Store.open(sqlite_url), path_of(sqlite_url)
    aside = path.with_name("aside")
    path.rename(aside)
    if replaced:
        path.write_bytes(aside.read_bytes())
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="was deleted or replaced while it was in use"):
            store.create(deployment(), [step()], "")
        assert path.exists() is replaced
    store.close()


def test_a_violated_constraint_is_no_database_failure(sqlite_url: str) -> None:
    """The error is passed on."""
    engine = database.connect(sqlite_url)
    with pytest.raises(IntegrityError), database.translated(engine), engine.begin() as connection:
        connection.execute(text("UPDATE installation SET id = 7"))
    engine.dispose()


def test_a_damaged_file_is_reported_with_its_cause(sqlite_url: str) -> None:
    """There is no traceback."""
    path = path_of(sqlite_url)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    store = Store(database.connect(sqlite_url))
    with pytest.raises(DatabaseUnavailable, match=r"cannot be read or written \(.*\): fix that"):
        store.summaries()
    store.close()


# --- schema


def test_an_empty_sqlite_file_gets_the_schema_at_first_use(empty_sqlite_url: str) -> None:
    """A second upgrade does nothing."""
    store = Store.open(empty_sqlite_url)
    assert schema.revision(store.engine) == SCHEMA_REVISION
    assert schema.upgrade(store.engine) == SCHEMA_REVISION
    assert [p.name for p in path_of(empty_sqlite_url).parent.glob("tier1.db.*")] == []
    store.close()


@postgres
def test_an_empty_postgres_is_refused_until_it_is_upgraded(empty_postgres_url: str) -> None:
    """A shared database is changed only on purpose; a second upgrade is no error."""
    with pytest.raises(SchemaError, match="has no schema yet: run `tier1 db upgrade`"):
        Store.open(empty_postgres_url)
    engine = database.connect(empty_postgres_url)
    assert schema.revision(engine) is None
    assert schema.upgrade(engine) == ""
    assert schema.upgrade(engine) == SCHEMA_REVISION
    schema.ensure_schema(engine)
    engine.dispose()


def test_a_newer_schema_is_refused(any_database_url: str) -> None:
    """Open and upgrade refuse it, and nothing is changed."""
    stamp(any_database_url, "9999")
    engine = database.connect(any_database_url)
    for act in (schema.ensure_schema, schema.upgrade):
        with pytest.raises(SchemaError, match="has schema 9999, which is newer than this tier1 supports"):
            act(engine)
    assert schema.revision(engine) == "9999"
    engine.dispose()


def test_two_concurrent_starts_upgrade_once(empty_database_url: str) -> None:
    """The second one waits, and has nothing to do."""
    engines = [database.connect(empty_database_url) for _ in range(2)]
    barrier, errors = threading.Barrier(2, timeout=30), []

    def start(number: int) -> None:
        barrier.wait()
        try:
            schema.upgrade(engines[number])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    with engines[0].connect().execution_options(reads_only=True) as connection:
        assert connection.execute(text("SELECT count(*) FROM installation")).scalar() == 1
    for engine in engines:
        engine.dispose()


def test_concurrent_opens_of_a_new_file_wait_for_each_other(tmp_path: Path) -> None:
    """SQLite does not wait for another switch to WAL mode, so some of these would be refused."""
    barrier, errors = threading.Barrier(OPENERS, timeout=30), []

    def open_each() -> None:
        for number in range(NEW_FILES):
            engine = database.connect(f"sqlite:///{tmp_path / str(number)}.db")
            barrier.wait()
            try:
                engine.connect().close()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                errors.append(error)
            engine.dispose()

    threads = [threading.Thread(target=open_each) for _ in range(OPENERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors


@postgres
def test_a_postgres_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    """The database has synchronous_commit=off: the message says what to set."""
    engine = database.connect(postgres_url)
    name = make_url(postgres_url).database
    with engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    engine.dispose()
    with pytest.raises(ConfigurationError, match=r"synchronous_commit=off.*set it to on"):
        Store.open(postgres_url)


@postgres
def test_postgres_sessions_time_out_before_the_lease(postgres_url: str) -> None:
    """A frozen driver cannot lock a row for ever: both time-outs are a third of the lease."""
    engine = database.connect(postgres_url, lease_seconds=30.0)
    with engine.connect() as connection:
        limits = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["4500ms", "4500ms"]
    engine.dispose()


@postgres
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("25006", "is read-only .*target_session_attrs=read-write"),
        ("42501", "denies access .*grant it"),
        ("26000", "refused a statement"),
        ("0A000", "refused a statement"),
        ("22P05", "refused a statement"),
        ("53300", "cannot be reached"),
        ("57P03", "cannot be reached"),
        ("XX000", "cannot be reached"),
        ("P0001", "cannot be reached"),
    ],
)
def test_whatever_a_server_answers_means_that_it_is_unavailable(
    postgres_url: str, code: str, sentence: str
) -> None:
    """The session is replaced: the next one may be on another server."""
    store, statement = Store.open(postgres_url), f"RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'"
    sessions: list[int] = []
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=sentence):
            perform(store, f"DO $$ BEGIN {statement}; END $$", sessions)
    assert len(set(sessions)) == len(sessions)
    store.close()


def perform(store: Store, statement: str, sessions: list[int]) -> None:
    """Perform a statement in a transaction, and note the server's process that serves it."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        sessions.extend(transaction.cursor.execute("SELECT pg_backend_pid()").fetchone())
        transaction.cursor.execute(statement)


@postgres
def test_a_violated_constraint_of_postgres_is_no_database_failure(postgres_url: str) -> None:
    """The session is kept: the database is in order."""
    store = Store.open(postgres_url)
    sessions: list[int] = []
    for _ in range(2):
        with pytest.raises(IntegrityError):
            perform(store, "UPDATE installation SET id = 7", sessions)
    assert len(set(sessions)) == 1
    store.close()


@postgres
def test_a_row_locked_by_a_frozen_session_is_waited_for_and_then_reported(postgres_url: str) -> None:
    """The lock time-out ends this transaction with a message."""
    frozen, store = database.connect(postgres_url), Store.open(postgres_url, lease_seconds=0.3)
    store.create(deployment(), [step()], "")
    with frozen.begin() as connection:
        connection.execute(text("SELECT 1 FROM deployments FOR UPDATE"))
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            store.request_goal("d1", lambda held: held.goal, retain=("x",), now=deployment().created_at)
    frozen.dispose()
    store.close()


def test_an_installation_without_its_migrations_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken wheel has none."""
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "tier1_engine" / "store" / "schema.py"))
    with pytest.raises(ConfigurationError, match=r"migrations are missing.*reinstall tier1"):
        schema.alembic_config()


# --- an older SQLite schema


@pytest.fixture
def older(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of today, as the next release finds it: there is one more migration."""
    import shutil

    migrations = tmp_path / "release" / "migrations"
    shutil.copytree(Path(__file__).parents[3] / "migrations", migrations)
    (migrations / "versions" / "9001_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9001'\ndown_revision = {SCHEMA_REVISION!r}\nbranch_labels = None\ndepends_on = None\n"
        "def upgrade() -> None:\n    op.add_column('deployments', sa.Column('colour', sa.String(8)))\n"
        "def downgrade() -> None:\n    pass\n"
    )
    release = tmp_path / "release" / "tier1_engine" / "store" / "schema.py"
    monkeypatch.setattr(schema, "__file__", str(release))
    monkeypatch.setattr(schema, "SCHEMA_REVISION", "9001")
    return sqlite_url


def test_an_older_file_is_upgraded_after_a_private_copy(older: str) -> None:
    """The copy is complete, at the old schema, with mode 0600; the upgraded file has everything."""
    path = path_of(older)
    before = Store(database.connect(older))
    before.create(deployment(), [step()], "")
    before.close()
    store = Store.open(older)
    assert schema.revision(store.engine) == "9001"
    assert store.load("d1").steps
    store.close()
    copies = list(path.parent.glob(f"tier1.db.{SCHEMA_REVISION}.*"))
    assert len(copies) == 1
    assert modes(path.parent) == {0o600}
    with closing(sqlite3.connect(copies[0])) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (SCHEMA_REVISION,)
        assert copy.execute("SELECT id FROM deployments").fetchall() == [("d1",)]
        assert "colour" not in str(copy.execute("SELECT sql FROM sqlite_master").fetchall())


@pytest.mark.field_case("a trial: four commands at once on an older file upgraded it four times")
def test_concurrent_starts_on_an_older_file_upgrade_it_once(older: str) -> None:
    """One process copies and upgrades it; the others wait for that, and read the upgraded file."""
    before = Store(database.connect(older))
    before.create(deployment(), [step()], "")
    before.close()
    barrier, found, errors = threading.Barrier(OPENERS, timeout=30), [], []

    def start() -> None:
        barrier.wait()
        try:
            store = Store.open(older)
            found.append([summary.deployment.id for summary in store.summaries()])
            store.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(OPENERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (errors, found) == ([], [["d1"]] * OPENERS)
    assert len(list(path_of(older).parent.glob(f"tier1.db.{SCHEMA_REVISION}.*"))) == 1


def test_a_file_that_a_newer_release_upgrades_meanwhile_is_refused(
    older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was waited for, and is neither copied nor changed."""
    engine, waited = database.connect(older), schema._patient  # noqa: SLF001 - where it waits

    def upgraded_meanwhile(connection: Connection) -> Any:
        stamp(older, "9999")
        return waited(connection)

    monkeypatch.setattr(schema, "_patient", upgraded_meanwhile)
    with pytest.raises(SchemaError, match="has schema 9999, which is newer than this tier1 supports"):
        schema.upgrade(engine)
    assert not list(path_of(older).parent.glob("tier1.db.*.*"))
    engine.dispose()


def test_a_copy_that_cannot_be_made_is_reported(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is full, or may not be written; the file is not upgraded."""
    path, engine = path_of(older), database.connect(older)
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment

    monkeypatch.setattr(schema, "datetime", Stopped)
    path.with_name(f"{path.name}.{SCHEMA_REVISION}.{moment:%Y%m%dT%H%M%S.%fZ}").touch()
    with pytest.raises(DatabaseUnavailable, match=r"cannot be copied to .* before its upgrade \(.*\): fix"):
        schema.upgrade(engine)
    assert schema.revision(engine) == SCHEMA_REVISION
    engine.dispose()


def test_an_older_file_is_not_upgraded_under_a_live_driver(older: str) -> None:
    """The driver is named; nothing is copied or changed."""
    from tier1_engine.clock import SystemClock
    from tier1_engine.store.holder import this_process
    from tier1_engine.store.lease import take

    engine = database.connect(older)
    store = Store(engine)
    store.create(deployment(), [step()], "")
    take(store, "d1", this_process(), 60.0, SystemClock())
    with pytest.raises(DrivenByAnother, match="an older tier1 is running d1: wait for it to finish"):
        Store.open(older)
    assert schema.revision(engine) == SCHEMA_REVISION
    assert not list(path_of(older).parent.glob("tier1.db.0*"))
    store.close()


def test_an_upgrade_that_fails_leaves_the_old_schema(older: str, tmp_path: Path) -> None:
    """It is one transaction, on SQLite as well."""
    script = tmp_path / "release" / "migrations" / "versions" / "9001_next.py"
    script.write_text(
        script.read_text().replace("sa.String(8)))\n", "sa.String(8)))\n    raise OSError('cut')\n")
    )
    engine = database.connect(older)
    with pytest.raises(OSError, match="cut"):
        schema.upgrade(engine)
    assert schema.revision(engine) == SCHEMA_REVISION
    with engine.connect().execution_options(reads_only=True) as connection:
        columns = connection.exec_driver_sql("PRAGMA table_info(deployments)").fetchall()
    assert "colour" not in str(columns)
    engine.dispose()


@postgres
def test_an_older_postgres_is_refused_with_the_command(postgres_url: str, older: str) -> None:
    """`db upgrade` upgrades it; a shared database is not copied."""
    assert older
    engine = database.connect(postgres_url)
    with pytest.raises(SchemaError, match=f"has the older schema {SCHEMA_REVISION}: run `tier1 db upgrade`"):
        schema.ensure_schema(engine)
    assert schema.upgrade(engine) == SCHEMA_REVISION
    schema.ensure_schema(engine)
    engine.dispose()
