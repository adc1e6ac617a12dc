"""Writes the messages about a spec: file, line, key, what is wrong, what is allowed.

It finds no problems itself: pydantic and the rules of `spec.values` do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tier1_engine.spec.document import Document, written
from tier1_engine.spec.part import models_in
from tier1_engine.spec.values import KeyPath, Wrong

SHOWN_CHARACTERS = 60
"""The maximum characters of a wrong value in a message; the rest is cut off."""
LINE_CHARACTERS = 500
"""The maximum characters of one message; a key may be as long as the file."""
CLOSE = 0.6
"""The minimum similarity (`difflib`) of a key that is suggested."""

Keys = Mapping[KeyPath, Sequence[str]]

_WANTED = {
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
}


def problems(
    error: ValidationError, values: Any, keys: Keys, noun: str = "spec"
) -> Iterator[tuple[KeyPath, str]]:
    """Yield every problem that pydantic found, as key path and message (which begins with the key).

    Args:
        values: the validated values, to show the wrong ones.
        keys: the valid keys of each mapping in the spec, by key path without list indexes.
        noun: what messages call the file.
    """
    for detail in error.errors(include_url=False, include_input=False):
        path: KeyPath = tuple(detail["loc"])
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Wrong):
            for beneath, predicate in cause.problems:
                yield (*path, *beneath), f"{written((*path, *beneath))} {predicate}."
        elif detail["type"] == "extra_forbidden":
            yield path, f"{written(path)} is not a key of a {noun}; {_nearest(path, keys)}."
        elif detail["type"] == "missing":
            yield path, f"{written(path)} is missing; add it."
        else:
            shown = _shown(values, path)
            predicate = str(cause) if cause is not None else _wanted(detail)
            yield path, f"{written(path)} {f'is {shown}, but ' if shown else ''}{predicate}."


def one_line(sentence: str) -> str:
    """Shorten and escape a message for a terminal: keys and values may be long or hold line ends."""
    if len(sentence) > LINE_CHARACTERS:
        sentence = f"{sentence[:LINE_CHARACTERS]}..."
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in sentence
    )


def keys_of(model: type[BaseModel], path: KeyPath = ()) -> dict[KeyPath, list[str]]:
    """Return the valid keys of `model` and of every mapping in it."""
    found: dict[KeyPath, list[str]] = {path: list(model.model_fields)}
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            found.update(keys_of(inner, (*path, name)))
    return found


def choices(named: str, known: Iterable[str]) -> str:
    """List the valid names, and suggest the nearest."""
    every = sorted(known)
    nearest = difflib.get_close_matches(named, every, n=1, cutoff=CLOSE)
    listed = f"{', '.join(every[:-1])} and {every[-1]}" if every[1:] else every[0]
    return f"{'known are' if every[1:] else 'known is'} {listed}" + (
        f"; did you mean {nearest[0]}" if nearest else ""
    )


def _nearest(path: KeyPath, keys: Keys) -> str:
    """Suggest the most likely valid key: a similar one in the same mapping, else the same key elsewhere."""
    *above, name = (part for part in path if not isinstance(part, int))
    beside = keys[tuple(above)]
    close = difflib.get_close_matches(str(name), beside, n=1, cutoff=CLOSE)
    if close:
        return f"did you mean {written((*path[:-1], close[0]))}"
    for parent, names in keys.items():
        if name in names:
            return f"did you mean {written((*parent, name))}"
    nearest = difflib.get_close_matches(str(name), beside, n=1, cutoff=0.0)
    return f"the nearest valid key is {written((*path[:-1], nearest[0]))}"


def _wanted(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return f"must be one of {str(detail['ctx']['expected']).replace(' or ', ', ').replace(chr(39), '')}"
    return _WANTED.get(detail["type"], detail["msg"])


def _shown(values: Any, path: KeyPath) -> str:
    """Return the wrong value as the user wrote it; empty for mappings and lists."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(values, bool):
        return str(values).lower()
    if isinstance(values, str):
        return f'"{values[:SHOWN_CHARACTERS]}{"..." if len(values) > SHOWN_CHARACTERS else ""}"'
    return str(values) if isinstance(values, int | float) else ""


MAX_PROBLEMS_SHOWN = 50


FROM_COMMAND_LINE = 0
"""The line number of a value from the command line."""


def report(document: Document, error: ValidationError | None, keys: Keys) -> str:
    """Return one line for each problem, in file order; a YAML problem of a key hides its other problems."""
    found = {(problem.line, problem.path, problem.sentence) for problem in document.problems}
    silent = {problem.path for problem in document.problems}
    for path, sentence in problems(error, document.values, keys) if error else ():
        if not any(path[:length] in silent for length in range(len(path) + 1)):
            found.add((document.line_of(path), path, sentence))
    ordered = sorted(found, key=lambda item: (item[0], list(map(str, item[1])), item[2]))
    lines = [
        one_line(
            f"--name: {sentence}" if line == FROM_COMMAND_LINE else f"{document.source}:{line}: {sentence}"
        )
        for line, _, sentence in ordered[:MAX_PROBLEMS_SHOWN]
    ]
    if len(ordered) > MAX_PROBLEMS_SHOWN:
        lines.append(f"{document.source}: there are {len(ordered) - MAX_PROBLEMS_SHOWN} more problems.")
    return "\n".join(lines)
