"""The file of a SQLite database on disk, and its write-ahead log.

Owns their creation and the checks on them: they are private, on a local file system, and must not be
deleted while in use. SQLite itself would continue to write to a deleted file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tier1_engine.errors import ConfigurationError, DatabaseUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.juicefs", "fuse.mountpoint-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "pvfs2", "smb3", "smbfs",
    }
)  # fmt: skip
"""File systems that several hosts may mount, by the kernel's name. Not among them is what a virtual machine
shares with its own host only (9p, virtiofs)."""
MOUNTS = Path("/proc/self/mountinfo")


def same_file(info: Mapping[str, Any]) -> None:
    """Check that the file was not deleted or replaced: it would accept every write and lose it.

    Raises:
        DatabaseUnavailable: the file was deleted or replaced.
    """
    if info["file"] != file_id(info["path"]):
        raise DatabaseUnavailable(vanished(info["path"]))


def same_log(connection: Any, info: MutableMapping[str, Any]) -> None:
    """Check that the log was not deleted: it would accept every commit, and a kill would lose them all.

    Called after the begin and after the commit of a transaction: no call may rely on a commit that no other
    process can see. The content of a deleted log is written to the file itself first.

    Raises:
        DatabaseUnavailable: the log was deleted.
    """
    path = info["path"]
    found = file_id(log_of(path))
    if info["log"] is None:
        info["log"] = found  # SQLite creates it when it first needs it
    if info["log"] == found:
        return
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raise DatabaseUnavailable(
        f"The log {log_of(path)} was deleted while it was in use; its content was written to {path}: "
        "do not move or delete either file, and run the command again."
    )


@lru_cache(maxsize=16)
def log_of(path: Path) -> Path:
    """Return the path of the write-ahead log, which has the commits that are not yet in the file itself."""
    return path.with_name(f"{path.name}-wal")


def file_id(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at a path, device and inode; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def vanished(path: Path) -> str:
    """Return the message about a file that was deleted or replaced."""
    return (
        f"The database file {path} was deleted or replaced while it was in use: put it back, "
        "then run the command again."
    )


def refuse_network(path: Path) -> None:
    """Refuse a file on a network file system: there, another host would not see the locks and the log.

    SQLite shares the index of its log in memory, so "all processes using a database must be on the same host
    computer; WAL does not work over a network filesystem" (https://www.sqlite.org/wal.html).

    Raises:
        ConfigurationError: the file, or the folder in which it would be created, is on one (Linux only).
    """
    device, _ = next(found for place in (path, *path.absolute().parents) if (found := file_id(place)))
    kind = _mounted().get(f"{os.major(device)}:{os.minor(device)}", "")
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigurationError(
            f"The database file {path} is on a network file system ({kind}), where SQLite cannot protect it: "
            "set TIER1_DATABASE_URL to a file on a local disk, or to a Postgres."
        )


def _mounted() -> dict[str, str]:
    """Return the kind of each mounted file system by its device (proc_pid_mountinfo(5))."""
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return {}  # not Linux
    return {line.split()[2]: line.rpartition(" - ")[2].split()[0] for line in lines if " - " in line}


def make_private_file(path: Path) -> None:
    """Create the file with mode 0600: SQLite gives `-wal` and `-shm` the mode of the file itself.

    An existing file is not opened: closing it would release every lock that SQLite holds on it for this
    process (fcntl(2), and "How To Corrupt An SQLite Database File", 2.2). Another process that ends would
    then consider itself the last one and remove the log, with everything committed later.
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
