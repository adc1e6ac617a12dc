"""The client of a sandbox's control path: adds, lists and clears its faults, and reads its census.

Owns the client side of the requests. It validates no fault: the sandbox does.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tier1_engine.errors import Refused, Tier1Error
from tier1_engine.sandbox.census import Thing, from_json
from tier1_engine.sandbox.faults.faults import Fault, to_json
from tier1_engine.sandbox.process.ask import Unproved, ask
from tier1_engine.sandbox.process.routes import CENSUS_PATH, FAULTS_PATH, RESET_PATH
from tier1_engine.sandbox.process.server import status
from tier1_engine.sandbox.process.state import read

ANSWER_SECONDS: Final = 20.0
_ERROR_FROM: Final = 400


@dataclass(frozen=True, slots=True)
class Set:
    """A fault that was added.

    Attributes:
        fault: as `faults` lists it.
        warnings: reasons why it can have no effect.
    """

    fault: dict[str, Any]
    warnings: list[str]


def add_fault(directory: Path, fault: Fault) -> Set:
    """Add a fault to the sandbox of a state directory.

    Raises:
        Refused: none is running, it is plain, or the fault is invalid.
    """
    said = _ask(directory, "POST", to_json(fault))
    return Set(said["fault"], said["warnings"])


def faults(directory: Path) -> list[dict[str, Any]]:
    """The faults of the sandbox of a state directory, in the order in which they were added.

    Raises:
        Refused: none is running, or it is plain.
    """
    found: list[dict[str, Any]] = _ask(directory, "GET")["faults"]
    return found


def clear_faults(directory: Path) -> int:
    """Remove all faults; return how many there were.

    Raises:
        Refused: none is running, or it is plain.
    """
    return int(_ask(directory, "DELETE")["cleared"])


def census(directory: Path) -> list[Thing]:
    """Everything that exists in the sandbox of a state directory, in a fixed order.

    Raises:
        Refused: none is running.
    """
    return [from_json(thing) for thing in _ask(directory, "GET", path=CENSUS_PATH)["things"]]


def reset(directory: Path) -> None:
    """Delete everything in the accounts of the sandbox of a state directory.

    Raises:
        Refused: none is running.
    """
    _ask(directory, "POST", path=RESET_PATH)


def _ask(
    directory: Path, method: str, document: dict[str, Any] | None = None, path: str = FAULTS_PATH
) -> dict[str, Any]:
    record = read(directory) if status(directory).running else None
    if record is None:
        raise Refused("No local AWS is running: start it with `tier1 sandbox start`.")
    body = b"" if document is None else json.dumps(document).encode()
    try:
        answered, reply = ask(record, method, path, body, ANSWER_SECONDS)
        said: dict[str, Any] = json.loads(reply)
    except Unproved as error:
        raise Refused(
            f"Another program answers at {record.endpoint}: check the local AWS with `tier1 sandbox status`."
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Tier1Error(
            f"The sandbox did not respond ({error}): check it with `tier1 sandbox status`."
        ) from error
    if answered >= _ERROR_FROM:
        raise Refused(str(said.get("error")))
    return said
