"""`tier1 db` reports, creates and refuses schemas, and exports the database without secrets."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.support.command import Command
from tests.support.rows import AT, resource
from tier1_engine.deployment.states import State
from tier1_engine.store.tables import SCHEMA_REVISION

SCRIPT = "export PASSWORD='a$b'"


def test_current_reports_both_revisions_and_creates_nothing(newcomer: Command) -> None:
    """`db current` does not create a missing database."""
    assert newcomer.here("db", "current", "-o", "json").json == {"found": None, "known": SCHEMA_REVISION}
    assert not newcomer.database.exists()
    assert newcomer.here("db", "upgrade").code == 0
    assert newcomer.here("db", "current", "-o", "json").json == {
        "found": SCHEMA_REVISION,
        "known": SCHEMA_REVISION,
    }
    assert f"this program needs {SCHEMA_REVISION}" in newcomer.here("db", "current").out
    assert "already" in newcomer.here("db", "upgrade").out


def test_a_database_is_private(newcomer: Command) -> None:
    """The file has mode 0600."""
    assert newcomer.here("list").code == 0
    assert newcomer.database.stat().st_mode & 0o777 == 0o600


def test_upgrade_refuses_a_later_schema(tier1_here: Command) -> None:
    """It exits with 2; `current` still reports the revision."""
    with sqlite3.connect(tier1_here.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    tier1_here("db", "upgrade").refused(2, "9999")
    assert tier1_here("db", "current", "-o", "json").json["found"] == "9999"


@pytest.mark.postgres
def test_only_upgrade_initialises_an_empty_postgres(tier1_here: Command, empty_postgres_url: str) -> None:
    """Other commands refuse it and name the command to type."""
    postgres = tier1_here.with_(TIER1_DATABASE_URL=empty_postgres_url)
    postgres("list").refused(2, "tier1 db upgrade")
    assert postgres("db", "current", "-o", "json").json["found"] is None
    assert postgres("db", "upgrade").code == 0
    assert postgres("list", "-o", "json").json == []


def test_the_export_has_everything_but_secrets(tier1_here: Command) -> None:
    """User data appears as its SHA-256 in spec, plan and request; passwords in URLs are masked."""
    spec = {"instance": {"user_data": {"path": "boot.sh", "sha256": "x", "text": SCRIPT}}}
    id = tier1_here.write("aaaa00000001", spec=spec, tags={"see": "https://me:hidden@example.com/"})
    with sqlite3.connect(tier1_here.database) as connection:
        inputs = json.dumps({"user_data": {"script": SCRIPT}})
        connection.execute("UPDATE steps SET inputs = ?", (inputs,))
        row = resource("r1", deployment_id=id, request={"user_data": SCRIPT})
        connection.execute(
            "INSERT INTO resources (id, deployment_id, step, name, kind, state, owned, tagged_as, request,"
            " created_at, generation, candidate, facts, driven_seconds) VALUES"
            " (?, ?, ?, ?, ?, 'creating', 1, ?, ?, ?, 1, 0, '{}', 0)",
            (
                row.id,
                id,
                row.step,
                row.name,
                row.kind,
                row.tagged_as,
                json.dumps(row.request),
                AT.isoformat(),
            ),
        )
    connection.close()
    exported = tier1_here("db", "export", "-o", "json")
    assert exported.code == 0
    assert "PASSWORD" not in exported.out
    assert "hidden" not in exported.out
    (whole,) = exported.json["deployments"]
    assert exported.json["schema"] == SCHEMA_REVISION
    digests = [
        whole["spec"]["instance"]["user_data"],
        whole["steps"][0]["inputs"]["user_data"],
        whole["resources"][0]["request"]["user_data"],
    ]
    assert all(digest == digests[0] and list(digest) == ["sha256"] for digest in digests)
    assert {"attempts", "events", "consoles"} <= set(whole)


def test_an_empty_export_is_valid_json(tier1_here: Command) -> None:
    """Two deployments are exported as an array."""
    assert tier1_here("db", "export").json["deployments"] == []
    for number in (1, 2):
        tier1_here.write(f"aaaa0000000{number}", f"name-{number}", state=State.PENDING)
    assert len(tier1_here("db", "export").json["deployments"]) == 2
