"""The process that starts a Postgres for a test run, watches the run, and stops the server after it.

    python tests/support/postgres_keeper.py FOLDER PID

It ends when FOLDER has a file `ended`, or when the run's process is gone for any reason. Only the programs of
the pgserver wheel are used: the wheel's own start-up opens the permissions of every folder above the
environment when it runs as root.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
PORT_TRIES = 5
CONNECTIONS = 200
SUPERUSER = "postgres"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
ROOM_BYTES = 2**30
"""What must be free there: a run takes some hundred megabytes."""


def programs() -> Path | None:
    """The wheel's folder with bin, lib and share; None when it is not installed.

    Found without importing the package, which makes folders and warns when it is imported.
    """
    found = importlib.util.find_spec("pgserver")
    places = found.submodule_search_locations if found else None
    folder = Path(places[0]) / "pginstall" if places else None
    return folder if folder and (folder / "bin" / "postgres").exists() else None


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(POLL_SECONDS)
    return condition()


def keep(folder: Path, run: int) -> None:
    """Start the server, report it, and stop it when the run of process id `run` has ended."""
    with stored_in_memory(folder):
        _keep(folder, run)
    (folder / "keeper").unlink(missing_ok=True)
    if not _alive(run):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stored_in_memory(folder: Path) -> Iterator[None]:
    """Let the server's data lie in memory, where the system has room there: every database that is made
    or dropped is a checkpoint, and a busy disk keeps the tests waiting for seconds.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield
        return
    with TemporaryDirectory(prefix="tier1-pg-", dir=MEMORY, ignore_cleanup_errors=True) as place:
        (folder / "data").symlink_to(place)
        yield


def _keep(folder: Path, run: int) -> None:
    try:
        server, url = started(folder)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        (folder / "failed").write_text(f"{error}\n{getattr(error, 'stderr', '') or ''}")
        return
    draft = folder / "ready.draft"
    draft.write_text(json.dumps({"url": url, "pid": server.pid}))
    draft.replace(folder / "ready")
    while server.poll() is None and not (folder / "ended").exists() and _alive(run):
        time.sleep(POLL_SECONDS)
    server.send_signal(signal.SIGINT)  # "fast": it does not wait for who is still connected
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def started(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    place, user = runnable(folder)
    password = secrets.token_hex(16)
    secret = folder / "password"
    secret.write_text(password)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    if user is not None:
        for path in (secret, data):
            os.chown(path, int(user["user"]), int(user["group"]))
    options = ["-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--no-sync", "--auth=scram-sha-256"]
    subprocess.run(
        [str(place / "bin" / "initdb"), "-D", str(data), f"--pwfile={secret}", *options],
        check=True,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        cwd="/",
        **(user or {}),
    )
    for _ in range(PORT_TRIES):  # another process may take the port before the server does
        port = free_port()
        server = launched(place, data, port, user)
        url = f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres"
        if came_up(server, url):
            return server, url
        server.kill()
        server.wait()
    raise RuntimeError(f"it ended at each of {PORT_TRIES} starts; the run's keeper.log had the reason")


def came_up(server: subprocess.Popen[bytes], url: str) -> bool:
    wait_until(lambda: server.poll() is not None or _answers(url), START_SECONDS)
    return server.poll() is None and _answers(url)


def launched(place: Path, data: Path, port: int, user: dict[str, Any] | None) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": CONNECTIONS,
        "shared_buffers": "32MB",
        # Commits stay synchronous, as tier1 demands; only the disk is not waited for.
        "fsync": "off",
        "full_page_writes": "off",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return subprocess.Popen(
        [str(place / "bin" / "postgres"), "-D", str(data), *arguments],
        stdin=subprocess.DEVNULL,
        cwd="/",
        **(user or {}),
    )


def runnable(folder: Path) -> tuple[Path, dict[str, Any] | None]:
    """The programs, and the user to run them as: Postgres refuses root, so then it is `nobody`.

    An unprivileged user cannot read an environment below root's home, so a copy is used.
    """
    place = programs()
    if place is None:
        raise RuntimeError("the pgserver wheel is not installed")
    if os.geteuid() != 0:
        return place, None
    nobody = pwd.getpwnam("nobody")
    user: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    probe = [str(place / "bin" / "postgres"), "--version"]
    try:
        subprocess.run(probe, check=True, capture_output=True, cwd="/", timeout=START_SECONDS, **user)
    except (PermissionError, subprocess.CalledProcessError):
        place = _copied(place, folder / "programs")
    return place, user


def _copied(place: Path, into: Path) -> Path:
    """A copy that every user can run, laid out as in the wheel: the programs find their libraries by a
    relative path.
    """
    shutil.copytree(place, into / "pgserver" / place.name, symlinks=True)
    libraries = place.parents[1] / "pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name, symlinks=True)
    for path in (into, into / "pgserver"):
        path.chmod(0o755)
    return into / "pgserver" / place.name


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
