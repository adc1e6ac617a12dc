"""The real `aws` command line, kept warm: each call runs awscli's own `main` in a fork of a process that
has it loaded already. A script calls `aws` dozens of times, and starting it takes longer than the call.

    python warm_aws.py serve SOCKET     what the fixture starts
    python warm_aws.py call SOCKET ...  what the `aws` on a test's path does

It is a program of its own, so that the side that calls can start in a few milliseconds.
Standard streams, folder and environment are the caller's. Nothing of awscli is replaced; only the files
of botocore's models are read once.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH_BYTES = 8


def serve(path: str) -> None:
    """Answer calls until the fixture ends this process."""
    from functools import cache

    from awscli import clidriver
    from awscli.botocore import loaders

    reader: Any = loaders.JSONFileLoader
    read = reader._load_file  # noqa: SLF001 - each call makes a loader of its own
    known = reader()
    files = cache(lambda *where: read(known, *where))
    reader._load_file = lambda _, *where: files(*where)  # noqa: SLF001
    warm = clidriver.create_clidriver().session
    for service in ("ec2", "efs", "iam", "sts"):
        warm.get_service_model(service)
    gc.collect()
    gc.freeze()
    gc.disable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    os.write(1, b"ready\n")
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run(connection, clidriver.main)
        connection.close()


def _run(connection: socket.socket, main: Callable[[], int]) -> None:
    """One call, in the fork."""
    head, fds, _, _ = socket.recv_fds(connection, LENGTH_BYTES, 3)
    body = b""
    while len(body) < int(head):
        body += connection.recv(1 << 16)
    arguments, environment, folder = json.loads(body)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    data_path = os.environ["AWS_DATA_PATH"]  # set by awscli when it is loaded
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data_path)
    os.chdir(folder)
    sys.argv = ["aws", *arguments]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(code).encode())
    os._exit(0)


def call(path: str, arguments: list[str]) -> int:
    """Have the warm process make the call; answer its exit code."""
    body = json.dumps([arguments, dict(os.environ), str(Path.cwd())]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [str(len(body)).rjust(LENGTH_BYTES).encode()], [0, 1, 2])
        connection.sendall(body)
        return int(connection.recv(8) or b"255")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:]))
