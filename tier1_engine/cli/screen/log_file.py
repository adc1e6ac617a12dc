"""`--log-file`: records what a command does as JSON lines in a private file.

Owns the file and the format of its lines. Like the screen, it observes what the engine committed and
decides nothing. A write error never stops the run.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tier1_engine.cli.screen.streams import say
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import (
    AttemptAdd,
    AttemptSet,
    Change,
    Move,
    Note,
    Record,
    ResourceAdd,
    ResourceSet,
    StepSet,
)
from tier1_engine.engine.equipment import Observer
from tier1_engine.errors import ConfigurationError, Tier1Error
from tier1_engine.masking import masked
from tier1_engine.views.as_json import moment, of_attempt

PRIVATE = 0o600


class LogFile:
    """A log file with one line per event. It is append-only."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        self._path = path
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, PRIVATE)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, PRIVATE)  # an existing file may have been readable by others
        except OSError as error:
            raise ConfigurationError(
                f"The log file {path} cannot be written ({error.strerror}): set another one with --log-file."
            ) from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")
        self._lost = False

    def write(self, kind: str, **values: Any) -> None:
        """Append a line. After the first write error, nothing more is written."""
        if self._lost:
            return
        line = {"at": moment(datetime.now(UTC)), "kind": kind, "pid": os.getpid(), **masked(values)}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            self._lost = True
            say(f"tier1: warning: the log file {self._path} is incomplete from here on: {error.strerror}.")

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        """Write what the engine committed in one turn."""
        for kind, values in entries_of(record, changes):
            self.write(kind, deployment=record.deployment.id, **values)


def entries_of(record: Record, changes: Sequence[Change]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines for a turn, each as its kind and values."""
    for change in changes:
        match change:
            case Move():
                move = {
                    "trigger": change.trigger.value,
                    "from": change.source.value,
                    "to": change.target.value,
                }
                yield "move", {**move, "message": change.message}
            case Note(message, step):
                yield "note", {"step": step, "message": message}
            case AttemptAdd(attempt):
                yield "attempt", {"attempt": of_attempt(record.attempts.get(attempt.id, attempt))}
            case AttemptSet(id, _):
                if (known := record.attempts.get(id)) is not None:
                    yield "attempt", {"attempt": of_attempt(known)}
            case StepSet(name, values) if "state" in values or values.get("error"):
                row = record.steps[name]
                yield "step", {"step": name, "state": row.state.value, "error": _plain(row.error)}
            case ResourceAdd(resource):
                yield "resource", _resource(record, resource.id)
            case ResourceSet(id, values) if values.keys() & {"state", "aws_id", "error"}:
                yield "resource", _resource(record, id)


def _resource(record: Record, id: str) -> dict[str, Any]:
    resource = record.resources[id]
    return {
        "resource": resource.name,
        "aws_id": resource.aws_id,
        "state": resource.state.value,
        "error": _plain(resource.error),
    }


def _plain(error: Error | None) -> dict[str, Any] | None:
    return None if error is None else error.to_stored()


class Both:
    """Notifies two observers of one run."""

    def __init__(self, first: Observer, second: Observer) -> None:
        self._observers = (first, second)

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        for observer in self._observers:
            observer.turn(record, changes, due)


@contextmanager
def opened(path: Path | None) -> Iterator[LogFile | None]:
    """Open the log file of one command, write its first line and, if the command is refused, the reason.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    log = LogFile(path)
    log.write("begin", command=sys.argv[1:])
    try:
        yield log
    except Tier1Error as error:
        log.write("error", message=str(error), exit_code=error.exit_code)
        raise
    finally:
        log.close()
