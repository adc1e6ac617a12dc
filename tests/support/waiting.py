"""Waits until a session waits for a lock on Postgres."""

from __future__ import annotations

import time
from typing import Any

import psycopg

SEEN_SECONDS = 20.0


def until_somebody_waits(connection: psycopg.Connection[Any]) -> None:
    """Wait until another session of this database waits for a lock that this one holds."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
    )
    end = time.monotonic() + SEEN_SECONDS
    while connection.execute(query).fetchone() != (1,):
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.01)
