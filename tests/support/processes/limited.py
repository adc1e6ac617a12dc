"""The real `tier1`, on a disk with a limited number of free pages, or with a short lock time-out.

    limited.py PAGES|- SECONDS|- ARGUMENTS...       run by `tests.support.warm` before `tier1`

Both are SQLite settings; nothing else of the command is changed.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from tier1_engine.store import database

UNLIMITED = "-"


def limit_pages(spare: int) -> None:
    """The file may grow by so many pages after a connection was opened, and the disk is full."""

    @event.listens_for(Pool, "connect")
    def limit(connection: sqlite3.Connection, _: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + spare}")


if __name__ == "__main__":
    pages, seconds = sys.argv[1:3]
    del sys.argv[1:3]
    if pages != UNLIMITED:
        limit_pages(int(pages))
    if seconds != UNLIMITED:
        database.BUSY_SECONDS = float(seconds)
