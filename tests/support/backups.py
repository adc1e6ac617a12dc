"""Backups of a SQLite database, as docs/backup.md makes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def back_up(database: Path | str, path: Path) -> None:
    """Copy a database that may be in use."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
