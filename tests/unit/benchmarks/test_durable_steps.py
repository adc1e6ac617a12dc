"""The benchmark measures the real engine with everything on disk, and prints the documented object."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import durable_steps

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS, STEPS = 3, 4


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert durable_steps.main(["--workflows", str(WORKFLOWS), "--steps", str(STEPS), *arguments]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def rows(url: str, query: str) -> list[Any]:
    from tier1_engine.store import database

    engine = database.connect(url)
    try:
        with engine.connect().execution_options(reads_only=True) as connection:
            return list(connection.exec_driver_sql(query).all())
    finally:
        engine.dispose()


def test_everything_is_on_disk_as_for_a_real_deployment(
    any_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step has its resource, its attempt with a key and an end, and its events; all became active."""
    run(capsys, "--url", any_database_url)
    total = WORKFLOWS * STEPS
    assert rows(any_database_url, "SELECT state, count(*) FROM deployments GROUP BY state") == [
        ("active", WORKFLOWS)
    ]
    assert rows(any_database_url, "SELECT state, count(*) FROM steps GROUP BY state") == [("done", total)]
    made = "SELECT count(*) FROM resources WHERE state = 'present' AND aws_id IS NOT NULL"
    assert rows(any_database_url, made) == [(total,)]
    ended = "SELECT count(*) FROM attempts WHERE action = 'create' AND outcome = 'done' AND key IS NOT NULL"
    assert rows(any_database_url, ended) == [(total,)]
    assert rows(any_database_url, "SELECT count(*) FROM events WHERE step IS NOT NULL") == [(total,)]


def test_an_intent_is_committed_before_its_step_and_a_result_after(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a chain one commit holds the result of a step and the intent of the next, so there is at least one a
    step.
    """
    answer = run(capsys, "--url", sqlite_url)
    around = 2  # created and locked; started with the first intent. The last result releases the lease.
    assert 1.0 <= answer["commits_per_step"] <= (STEPS + around) / STEPS


def test_it_prints_one_object_with_results_and_settings(
    any_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has numbers, shape, versions and the settings that give them meaning, and no password."""
    answer = run(capsys, "--url", any_database_url, "--baseline", "--threads", "2")
    for name in ("steps_per_second", "ms_per_step", "raw_steps_per_second", "ratio_to_raw"):
        assert answer[name] > 0
    assert (answer["workflows"], answer["steps"], answer["threads"]) == (WORKFLOWS, STEPS, 2)
    assert {"python", "sqlalchemy", "tier1"} <= answer["versions"].keys()
    if any_database_url.startswith("sqlite"):
        assert answer["database"].startswith("sqlite ")
        assert answer["settings"]["synchronous"] == "full"
        assert answer["settings"]["journal_mode"] == "wal"
    else:
        assert answer["database"].startswith("postgresql ")
        assert answer["settings"]["synchronous_commit"] == "on"


def test_a_password_is_not_printed() -> None:
    """The object may be published."""
    assert "secret" not in durable_steps.masked("postgresql://somebody:secret@localhost/tier1")


def test_the_baseline_leaves_nothing_behind(
    any_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its table, or its file next to the database, is removed again."""
    run(capsys, "--url", any_database_url, "--baseline")
    if any_database_url.startswith("sqlite"):
        folder = Path(any_database_url.removeprefix("sqlite:///")).parent
        assert [path.name for path in folder.iterdir() if ".raw-" in path.name] == []
    else:
        left = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'tier1_raw%%'"
        assert rows(any_database_url, left) == []


def test_it_runs_twice_on_one_database(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of active deployments stay in use, so each run has names of its own."""
    run(capsys, "--url", sqlite_url)
    run(capsys, "--url", sqlite_url)
    assert rows(sqlite_url, "SELECT count(*) FROM deployments") == [(2 * WORKFLOWS,)]


def test_an_empty_database_gets_its_schema(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The benchmark prepares its database; a Postgres needs no command before it."""
    assert run(capsys, "--url", empty_database_url)["workflows"] == WORKFLOWS


def test_an_invalid_url_is_reported_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """stderr has one sentence, the exit code is that for bad usage, and there is no traceback."""
    assert durable_steps.main(["--url", "mysql://localhost/x"]) == 2
    reported = capsys.readouterr()
    assert reported.out == ""
    assert reported.err.count("\n") == 1


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_an_invalid_count_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing runs for a count below one."""
    with pytest.raises(SystemExit) as ended:
        durable_steps.main(["--workflows", count])
    assert ended.value.code == 2
    assert "--workflows" in capsys.readouterr().err


def test_without_a_url_it_runs_as_a_command_and_cleans_up_after_itself(tmp_path: Path) -> None:
    """`python -m benchmarks.durable_steps` needs only the checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.durable_steps", "--workflows", "1", "--steps", "2"],
        cwd=ROOT,
        env={"PATH": "", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["url"].startswith("sqlite:///")
    assert list(tmp_path.iterdir()) == []


def test_the_baseline_file_syncs_every_commit(tmp_path: Path) -> None:
    """The baseline is without tier1, not without durability."""
    from benchmarks import raw

    with closing(raw.connect(tmp_path / "raw.db")) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert isinstance(connection, sqlite3.Connection)
