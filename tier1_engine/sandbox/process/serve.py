"""The process of the local AWS: moto behind one loopback socket.

    python -m tier1_engine.sandbox.process.serve --directory DIR [--port N] [--detach FD] [OPTIONS]

Owns the socket, the readiness and the end of that process. It never ends another process; `local` assembles
the AWS.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tier1_engine.errors import Refused
from tier1_engine.sandbox.process.guard import for_programs
from tier1_engine.sandbox.process.local import LocalAws, draw_seed, new_world, plain, play, strict
from tier1_engine.sandbox.process.state import Options, Record, process_started, remove, write
from tier1_engine.sandbox.world import Speed

if TYPE_CHECKING:
    from tier1_engine.sandbox.faults.scenario import Scenario

HOST = "127.0.0.1"
BACKLOG = 128


class Ended(BaseException):
    """A signal asked this process to end. Like KeyboardInterrupt, it must not be caught on the way."""


def run(directory: Path, port: int, ready: Callable[[Record], None], options: Options | None = None) -> None:
    """Serve until a signal arrives or `stop` is called on the directory.

    Args:
        directory: the state directory, which exists.
        port: on 127.0.0.1; 0 for any free one.
        ready: called once, when it answers.

    Raises:
        Refused: the port is unavailable, moto is missing, or there is no such scenario.
    """
    listening = _bind(port)
    with listening, _ending_on_signals(), suppress(Ended, KeyboardInterrupt):
        _serve(directory, listening, ready, options or Options())


def _serve(
    directory: Path, listening: socket.socket, ready: Callable[[Record], None], options: Options
) -> None:
    seed = draw_seed() if options.seed is None else options.seed
    from tier1_engine.sandbox.faults import scenarios

    scenario = scenarios.load(options.scenario) if options.scenario else None
    record = Record(
        endpoint=f"http://{HOST}:{listening.getsockname()[1]}",
        pid=os.getpid(),
        started=process_started(os.getpid()) or "",
        nonce=secrets.token_hex(16),
        speed=options.speed.value,
        seed=seed,
        scenario=scenario.name if scenario else None,
        strict=options.strict,
        any_ami=options.any_ami,
        token=secrets.token_hex(16),
    )
    aws = _local_aws(options, seed, scenario)
    from tier1_engine.sandbox.process.control import controlled

    application = for_programs(controlled(aws, record.token))

    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    # A log line per request would fill the disk during a rehearsal of days.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server(
        HOST, 0, application, threaded=True, request_handler=MotoRequestHandler, fd=listening.fileno()
    )
    try:
        write(directory, record)
        ready(record)
        server.serve_forever()
    finally:
        remove(directory, record.nonce)
        server.server_close()


def _local_aws(options: Options, seed: int, scenario: Scenario | None) -> LocalAws:
    """The local AWS, loaded before the process reports ready: a client with a short time-out must not wait
    seconds for imports.
    """
    if not options.strict:
        return plain(seed)
    world = new_world(seed, options.speed)
    world.any_ami = options.any_ami
    aws = strict(world, record=options.record)
    if scenario is not None:
        play(aws, scenario)
    return aws


def _bind(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port of a sandbox that has just ended can be reused; one that is in use cannot.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(BACKLOG)  # only this proves that the port is free; early clients wait
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"The port {port} is in use: give another one, or omit it to use any free port."
            ) from error
        raise Refused(f"The port {port} cannot be used ({error.strerror}): give another one.") from error
    return listening


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    """The entry point of the process that `server.start` spawns."""
    parser = argparse.ArgumentParser(prog="python -m tier1_engine.sandbox.process.serve")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--detach", type=int, metavar="FD", help="fork, and report on FD when it listens")
    parser.add_argument("--speed", type=Speed, default=Speed.MAX)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--scenario")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--any-ami", action="store_true")
    given = parser.parse_args()
    options = Options(
        given.speed, given.seed, not given.plain, given.scenario, given.record, any_ami=given.any_ami
    )
    if given.detach is None:
        run(given.directory, given.port, lambda record: None, options)
        return
    if os.fork():
        os._exit(0)
    os.chdir("/")

    def say(words: Mapping[str, Any]) -> None:
        with os.fdopen(given.detach, "w", encoding="utf-8") as pipe, suppress(BrokenPipeError):
            json.dump(words, pipe)

    try:
        run(given.directory, given.port, lambda record: say({"record": asdict(record)}), options)
    except Refused as error:
        say({"refused": str(error)})
    logging.shutdown()
    os._exit(0)  # freeing moto object by object would delay `stop` by a second


if __name__ == "__main__":
    main()
