"""`tier1 sandbox fault`: adds, lists and removes faults of the running local AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import complain, put, put_json
from tier1_engine.errors import Refused
from tier1_engine.sandbox.faults.faults import Fault
from tier1_engine.sandbox.process import remote
from tier1_engine.settings import state_directory


def add(fault: Fault) -> int:
    """Add a fault, and warn if it can have no effect."""
    done = remote.add_fault(state_directory(), fault)
    put(f"Fault {done.fault['number']} is set: {in_words(done.fault)}.")
    for warning in done.warnings:
        complain(f"warning: {warning}")
    return 0


def list_(output: Output) -> int:
    """List the faults in the order in which they are matched."""
    found = remote.faults(state_directory())
    if output is Output.JSON:
        put_json(found)
        return 0
    for fault in found:
        put(f"{fault['number']:>3}  {in_words(fault)}; affected {fault['struck']} of {fault['seen']} calls")
    if not found:
        put("No faults are set.")
    return 0


def clear() -> int:
    """Remove all faults."""
    count = remote.clear_faults(state_directory())
    put(f"{count} fault{'' if count == 1 else 's'} removed.")
    return 0


def matches(pairs: Sequence[str]) -> dict[str, str]:
    """Return `KEY=VALUE` pairs as a mapping.

    Raises:
        Refused: an argument is not such a pair.
    """
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Refused(f"{pair!r} is not KEY=VALUE: give a parameter name, '=' and a value.")
        found[key] = value
    return found


def in_words(fault: Mapping[str, Any]) -> str:
    """Return one line for a fault, as the sandbox's control endpoint describes it."""
    which = "every operation" if fault["operation"] == "*" else str(fault["operation"])
    if fault["match"]:
        which += " with " + ", ".join(f"{key}={value}" for key, value in fault["match"].items())
    return f"{which}: {', '.join([*_what(fault), *_when(fault)])}"


def _what(fault: Mapping[str, Any]) -> list[str]:
    said = []
    if fault["code"] or fault["status"] or fault["after_execution"]:
        code = fault["code"] or fault["status"] or "a server error"
        said.append(
            f"executed, then fails with {code}" if fault["after_execution"] else f"refused with {code}"
        )
    if fault["cut"]:
        said.append("request lost" if fault["cut"] == "before" else "reply lost")
    if fault["execute_late_seconds"] is not None:
        said.append(f"connection cut, executed {fault['execute_late_seconds']:g} s later")
    if fault["delay_seconds"]:
        said.append(f"{fault['delay_seconds']:g} s delay")
    return said or ["nothing"]


def _when(fault: Mapping[str, Any]) -> list[str]:
    said = [
        "always" if fault["left"] is None else f"{fault['left']} more time{'' if fault['left'] == 1 else 's'}"
    ]
    if fault["share"] < 1:
        said.append(f"{fault['share']:.0%} of calls")
    if fault["after"]:
        said.append(f"from call {fault['after'] + 1} on")
    return said
