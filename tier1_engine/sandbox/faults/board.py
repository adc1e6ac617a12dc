"""The faults injected into one sandbox, and the choice of the fault that applies to a call.

Owns the counting (`after`, `times`), the random choice (`share`) and the matching of parameters; `layer`
carries the fault out. The first matching fault that is due applies, in the order in which faults were added.
The random choice depends on what the call asks for, so concurrent calls get the same answers in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tier1_engine.errors import Refused
from tier1_engine.sandbox.faults.faults import Fault, check, to_json
from tier1_engine.sandbox.wire import operations
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import zone_of
from tier1_engine.sandbox.world import Dice

ZONE = "AvailabilityZone"


@dataclass(slots=True)
class ActiveFault:
    """A fault that is set, with its counters.

    Attributes:
        number: its number, from 1.
        seen: the number of matching calls.
        struck: the number of matching calls that it affected.
    """

    number: int
    fault: Fault
    seen: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times

    def to_json(self) -> dict[str, Any]:
        left = None if self.fault.times is None else self.fault.times - self.struck
        return {
            "number": self.number,
            **to_json(self.fault),
            "seen": self.seen,
            "struck": self.struck,
            "left": left,
        }


class Board:
    """The faults of one sandbox. The caller holds the world's lock."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._pinned: list[ActiveFault] = []
        self._number = 0

    def add(self, fault: Fault) -> ActiveFault:
        """Add a fault.

        Raises:
            Refused: the fault is invalid, or no service has its operation.
        """
        check(fault)
        check_operation(fault.operation)
        self._number += 1
        pinned = ActiveFault(self._number, fault)
        self._pinned.append(pinned)
        return pinned

    def clear(self) -> int:
        """Remove all faults; return how many there were."""
        count = len(self._pinned)
        self._pinned.clear()
        return count

    def all(self) -> list[ActiveFault]:
        return list(self._pinned)

    def strike(self, call: Call) -> Fault | None:
        """The fault that applies to this call; its counters are updated."""
        for pinned in self._pinned:
            if pinned.spent or not fits(pinned.fault, call):
                continue
            pinned.seen += 1
            if pinned.seen > pinned.fault.after and self._drawn(pinned, call):
                pinned.struck += 1
                return pinned.fault
        return None

    def _drawn(self, pinned: ActiveFault, call: Call) -> bool:
        if pinned.fault.share >= 1:
            return True
        return self._dice.unit(f"fault/{pinned.number}/{call.fingerprint()}") < pinned.fault.share


def check_operation(operation: str) -> None:
    """Check that an operation exists.

    Raises:
        Refused: it does not exist; the message names the nearest.
    """
    if operation == operations.ANY_OPERATION or operation in operations.names():
        return
    nearest = operations.nearest(operation)
    hint = f"did you mean {nearest}?" if nearest else "use AWS's name, such as RunInstances."
    raise Refused(f"No service of the local AWS has an operation {operation}: {hint}")


def fits(fault: Fault, call: Call) -> bool:
    """Whether a fault matches a call."""
    if fault.operation not in (operations.ANY_OPERATION, call.operation):
        return False
    return all(
        any(fnmatchcase(value, wanted) for value in _values(call, name))
        for name, wanted in fault.match.items()
    )


def _values(call: Call, name: str) -> Iterator[str]:
    found = list(_at(call.parameters, name.split(".")))
    if not found and name == ZONE and (zone := zone_of(call)):
        found = [zone]
    yield from found


def _at(value: Any, path: list[str]) -> Iterator[str]:
    """The texts at a dotted path; a list is searched, or one of its items selected by its number."""
    if isinstance(value, list):
        if path and path[0].isdecimal():
            yield from _at(value[int(path[0])] if int(path[0]) < len(value) else None, path[1:])
        else:
            for item in value:
                yield from _at(item, path)
    elif path:
        if isinstance(value, dict) and path[0] in value:
            yield from _at(value[path[0]], path[1:])
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None and not isinstance(value, dict):
        yield str(value)


def warnings(pinned: ActiveFault, board: Board) -> list[str]:
    """Reasons why a fault can have no effect, one sentence each; empty when there are none."""
    fault = pinned.fault
    found = []
    if fault.does_nothing:
        found.append("It has no effect: give it a code, a cut or a delay.")
    if fault.share == 0:
        found.append("It affects no call: its share is 0.")
    found += _strange_parameters(fault)
    for earlier in board.all():
        if earlier.number < pinned.number and _takes_all(earlier.fault, fault):
            found.append(f"Fault {earlier.number} affects every such call first: clear that one first.")
            break
    return found


def _takes_all(earlier: Fault, later: Fault) -> bool:
    if earlier.times is not None or earlier.share < 1 or earlier.match:
        return False
    return earlier.operation in (operations.ANY_OPERATION, later.operation)


def _strange_parameters(fault: Fault) -> Iterator[str]:
    if not fault.match or fault.operation == operations.ANY_OPERATION:
        return
    known = {
        name for model in operations.models(fault.operation) for name in operations.parameter_names(model)
    }
    by_subnet = any(name == "SubnetId" or name.endswith(".SubnetId") for name in known)
    for name in fault.match:
        plain = ".".join(part for part in name.split(".") if not part.isdecimal())
        if plain in known or (name == ZONE and by_subnet):
            continue
        near = operations.closest(plain, known)
        hint = f" (did you mean {near}?)" if near else ""
        yield f"It affects no call: {fault.operation} has no parameter {name}{hint}."
