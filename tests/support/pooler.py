"""A real pgbouncer in transaction mode, where the system has one (Debian: `apt-get install pgbouncer`)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.postgres_keeper import START_SECONDS, STOP_SECONDS, free_port, wait_until

PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


@contextmanager
def pooled(url: str, sessions: int) -> Iterator[str]:
    """The same database behind a pooler with so many sessions on the server."""
    program = shutil.which("pgbouncer", path=PLACES)
    if program is None:
        pytest.skip("no pgbouncer: `apt-get install pgbouncer`")
    server, port = make_url(url), free_port()
    with tempfile.TemporaryDirectory(prefix="tier1-pooler-") as folder:
        place = Path(folder)
        user = _unprivileged()
        (place / "users").write_text(f'"{server.username}" "{server.password}"\n')
        (place / "pgbouncer.ini").write_text(
            f"[databases]\n{server.database} = host={server.host} port={server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n"
            f"auth_file = {place / 'users'}\npool_mode = transaction\ndefault_pool_size = {sessions}\n"
            f"logfile = {place / 'log'}\n"
        )
        for path in (place, *place.iterdir()):
            if user:
                os.chown(path, user["user"], user["group"])
        pooler = subprocess.Popen(
            [program, "-q", str(place / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **user,
        )
        through = server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        try:
            wait_until(lambda: pooler.poll() is not None or _answers(through), START_SECONDS)
            assert pooler.poll() is None, (place / "log").read_text()
            yield through
        finally:
            pooler.terminate()
            pooler.wait(STOP_SECONDS)


def _unprivileged() -> dict[str, Any]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
