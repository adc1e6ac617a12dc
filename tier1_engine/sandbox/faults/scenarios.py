"""The named scenarios, and those in a user's file: read, validated, and converted into values.

Owns the keys of a scenario file. Every key and value is validated when the file is read, so that a typing
error is reported with its line instead of making a scenario without faults.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from tier1_engine.deployment.states import State
from tier1_engine.errors import Refused
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.faults import faults
from tier1_engine.sandbox.faults.board import check_operation
from tier1_engine.sandbox.faults.faults import Cut, Fault
from tier1_engine.sandbox.faults.scenario import Expected, Scenario, Trait
from tier1_engine.sandbox.wire import operations
from tier1_engine.sandbox.world import ManualAction, ManualChange
from tier1_engine.spec import wording
from tier1_engine.spec.document import Document, read_document
from tier1_engine.spec.part import Part
from tier1_engine.spec.values import KeyPath, Wrong, duration

FOLDER: Final = Path(__file__).with_name("scenarios")
SUFFIXES: Final = (".yaml", ".yml")
WRONGS: Final = {
    "mount": ("fails",),
    "user_data": ("fails",),
    "service": ("never", "flaps"),
    "instance": ("dies",),
}
"""What can fail, and how. A code may follow `fails:` and `dies:`."""
COMMANDS: Final = ("resume", "rollback", "destroy", "sandbox fault clear")
"""The commands allowed in `then`, with `{id}` for the deployment's id."""


def names() -> tuple[str, ...]:
    """The named scenarios in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load(name_or_file: str) -> Scenario:
    """The scenario of this name, or in this file.

    Args:
        name_or_file: a path contains a slash, or ends in `.yaml` or `.yml`.

    Raises:
        Refused: there is none, or its file is invalid; the message has file and line.
    """
    if os.sep in name_or_file or name_or_file.endswith(SUFFIXES):
        return read(Path(name_or_file))
    if name_or_file not in names():
        nearest = operations.closest(name_or_file, names())
        hint = f"did you mean {nearest}?" if nearest else f"there are {', '.join(names())}."
        raise Refused(f"There is no scenario {name_or_file}: {hint}")
    return read(FOLDER / f"{name_or_file}.yaml")


def read(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        Refused: the file is invalid; the message has one line per error.
    """
    document = read_document(path, "scenario", "the key title", "title: No capacity in the first zone")
    try:
        found = _File.model_validate(document.values, context=document.source)
    except ValidationError as error:
        raise Refused(_report(document, error)) from error
    if document.problems:
        raise Refused(_report(document, None))
    return found.scenario(path)


def _report(document: Document, error: ValidationError | None) -> str:
    reported = {(problem.line, problem.sentence) for problem in document.problems}
    for path, sentence in (
        wording.problems(error, document.values, _KEYS, "scenario") if error is not None else ()
    ):
        reported.add((document.line_of(path), sentence))
    return "\n".join(
        wording.one_line(f"{document.source}:{line}: {sentence}") for line, sentence in sorted(reported)
    )


# --- the keys of a file


def _seconds(value: Any) -> float:
    """A duration in AWS's time; 0 when there is none."""
    return 0.0 if value == 0 else duration(value)


Seconds = Annotated[float, BeforeValidator(_seconds)]


def _operation(name: str) -> str:
    try:
        check_operation(name)
    except Refused as error:
        raise Wrong([((), f"is not valid: {str(error).rstrip('.')}")]) from error
    return name


class _Fault(Part):
    """The file form of `Fault`; durations have a unit, and `times` may be `always`."""

    operation: str
    code: str | None = None
    message: str | None = None
    status: int | None = None
    after_execution: bool = False
    times: int | Literal["always"] = 1
    after: int = 0
    share: float = 1.0
    cut: Literal["before", "after"] | None = None
    delay: Seconds = 0.0
    execute_late: Seconds | None = None
    match: dict[str, str] = Field(default_factory=dict)

    _known = field_validator("operation")(_operation)

    @model_validator(mode="after")
    def _can_be(self) -> _Fault:
        try:
            faults.check(self.fault())
        except Refused as error:
            raise Wrong([((), f"is not valid: {str(error).rstrip('.')}")]) from error
        return self

    def fault(self) -> Fault:
        return Fault(
            operation=self.operation,
            code=self.code,
            message=self.message,
            status=self.status,
            after_execution=self.after_execution,
            times=None if self.times == "always" else self.times,
            after=self.after,
            share=self.share,
            cut=Cut(self.cut) if self.cut else None,
            delay_seconds=self.delay,
            execute_late_seconds=self.execute_late,
            match=self.match,
        )


class _ByHand(Part):
    after: str
    do: Literal["TerminateInstances", "DeleteMountTarget", "DeleteFileSystem"]
    seen: Annotated[int, Field(ge=1)] = 1

    _known = field_validator("after")(_operation)

    def deed(self) -> ManualChange:
        return ManualChange(self.after, ManualAction(self.do), self.seen)


class _Expected(Part):
    state: Literal["active", "failed", "rolled_back"]
    exit_code: int
    left: int | None = None
    code: str | None = None

    def end(self) -> Expected:
        return Expected(State(self.state).value, self.exit_code, self.left, self.code)


class _Otherwise(_Expected):
    spec: str

    @field_validator("spec")
    @classmethod
    def _is_trait(cls, value: str) -> str:
        if value not in set(Trait):
            raise ValueError(f"must be one of {', '.join(Trait)}")
        return value


class _File(Part):
    title: str
    story: str = ""
    faults: tuple[_Fault, ...] = Field((), strict=False)
    figures: dict[str, Seconds] = Field(default_factory=dict)
    wrong: dict[str, str] = Field(default_factory=dict)
    by_hand: tuple[_ByHand, ...] = Field((), strict=False)
    then: tuple[str, ...] = Field((), strict=False)
    expected: _Expected | None = None
    otherwise: tuple[_Otherwise, ...] = Field((), strict=False)

    @field_validator("figures")
    @classmethod
    def _are_figures(cls, value: dict[str, float]) -> dict[str, float]:
        _refuse_others(value, tuple(FIGURES), "a figure")
        return value

    @field_validator("wrong")
    @classmethod
    def _can_be_wrong(cls, value: dict[str, str]) -> dict[str, str]:
        _refuse_others(value, tuple(WRONGS), "a key of `wrong`")
        bad: list[tuple[KeyPath, str]] = [
            ((name,), f"must be {' or '.join(WRONGS[name])}")
            for name, how in value.items()
            if how.partition(":")[0] not in WRONGS[name]
        ]
        if bad:
            raise Wrong(bad)
        return value

    @field_validator("then")
    @classmethod
    def _are_commands(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad: list[tuple[KeyPath, str]] = [
            ((number,), f"must begin with {', '.join(COMMANDS)}")
            for number, line in enumerate(value)
            if not line.startswith(COMMANDS)
        ]
        if bad:
            raise Wrong(bad)
        return value

    def scenario(self, path: Path) -> Scenario:
        return Scenario(
            name=path.stem,
            title=self.title,
            story=" ".join(self.story.split()),
            expected=self.expected.end() if self.expected else None,
            otherwise={Trait(one.spec): one.end() for one in self.otherwise},
            faults=tuple(one.fault() for one in self.faults),
            takes=self.figures,
            wrong=self.wrong,
            by_hand=tuple(one.deed() for one in self.by_hand),
            then=self.then,
            path=None if path.parent == FOLDER else path,
        )


def _refuse_others(value: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    bad: list[tuple[KeyPath, str]] = []
    for name in value:
        if name not in known:
            nearest = operations.closest(name, known)
            hint = f"did you mean {nearest}" if nearest else f"there are {', '.join(known)}"
            bad.append(((name,), f"is not {what} of the sandbox; {hint}"))
    if bad:
        raise Wrong(bad)


_KEYS: Final = wording.keys_of(_File)
