"""The file of a SQLite database and the log beside it, as they stand on the disk.

Owns what is made of them and what is noticed: they are private, and while they are used nobody may take
them away. SQLite itself would write on into a file that has no name any more.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tier1_engine.errors import DatabaseUnavailable


def same_file(info: Mapping[str, Any]) -> None:
    """A file that was deleted or replaced would take every write and keep none of them."""
    if info["file"] != file_id(info["path"]):
        raise DatabaseUnavailable(vanished(info["path"]))


def same_log(connection: Any, info: MutableMapping[str, Any]) -> None:
    """A log that was deleted still takes every commit, and a kill then loses them all.

    Called once a transaction has begun, and again once it was committed: nothing is sent on the word of
    a commit that nobody else can see. What is in the deleted log is written to the file itself first.
    """
    path = info["path"]
    found = file_id(log_of(path))
    if info["log"] is None:
        info["log"] = found  # SQLite makes it when it first needs it
    if info["log"] == found:
        return
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raise DatabaseUnavailable(
        f"The log {log_of(path)} was deleted while it was in use; what it held was written to {path}: "
        "leave both files to tier1, and run the command again."
    )


@lru_cache(maxsize=16)
def log_of(path: Path) -> Path:
    """Where SQLite keeps what was committed and is not yet in the file itself."""
    return path.with_name(f"{path.name}-wal")


def file_id(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path: device and inode; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def vanished(path: Path) -> str:
    """The sentence about a file that is not there any more, or is another one."""
    return (
        f"The database file {path} was deleted or replaced while it was in use: put it back, "
        "then run the command again."
    )


def make_private_file(path: Path) -> None:
    """SQLite gives `-wal` and `-shm` the mode of the file itself, so it must be private from the start.

    A file that is there is not opened: closing it again would end every lock that SQLite holds on it for
    this process (fcntl(2), and "How To Corrupt An SQLite Database File", 2.2). Another process that ends
    would then take itself for the last one and remove the log, with all that is committed after that.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        if path.is_dir() or not os.access(path, os.R_OK | os.W_OK):
            code = errno.EISDIR if path.is_dir() else errno.EACCES
            raise _unwritable(path, os.strerror(code)) from error
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def _unwritable(path: Path, why: str | None) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The database file {path} cannot be written ({why}): "
        "make its directory writable, or set another file in TIER1_DATABASE_URL."
    )
