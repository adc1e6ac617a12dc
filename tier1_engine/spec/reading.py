"""Reads a spec file: first as YAML, then as the model of the blueprint that it names.

Every command reads the specs of every blueprint through it. The caller decides which blueprints exist. It
never calls AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tier1_engine.errors import SpecError
from tier1_engine.spec import wording
from tier1_engine.spec.base import DEFAULT_BLUEPRINT, BaseSpec
from tier1_engine.spec.document import Document, read_document

Spec = TypeVar("Spec", bound=BaseSpec)


class UnknownBlueprint(ValueError):
    """A spec names a blueprint that cannot be used; the message follows `blueprint is "NAME", `.

    Args:
        named: the blueprint in the spec.
        known: the usable blueprints.
    """

    def __init__(self, named: str, known: Iterable[str]) -> None:
        super().__init__(f"which is not installed; {wording.choices(named, known)}")


def load(path: Path, model_of: Callable[[str], type[Spec]], *, name: str | None = None) -> Spec:
    """Read and validate a spec file; paths in it are relative to its directory.

    Args:
        model_of: returns the spec model of a blueprint. Raises `ValueError` for a blueprint that cannot be
            used, with a message that continues `blueprint is "NAME", `.
        name: replaces the `name` in the file.

    Raises:
        SpecError: one line for each problem, with file, line, key, and what is allowed.
    """
    document = read_document(path)
    if name is not None:
        document.values["name"] = name
        document.lines[("name",)] = wording.FROM_COMMAND_LINE
    model = _model(document, model_of)
    keys = wording.keys_of(model)
    try:
        spec = model.model_validate(document.values, context=path.parent)
    except ValidationError as error:
        raise SpecError(wording.report(document, error, keys)) from error
    if document.problems:
        raise SpecError(wording.report(document, None, keys))
    return spec


def _model(document: Document, model_of: Callable[[str], type[Spec]]) -> type[Spec]:
    """Return the model for the document; the default's model rejects a blueprint that is not text."""
    value = document.values.get("blueprint")
    named = value if isinstance(value, str) else DEFAULT_BLUEPRINT
    try:
        return model_of(named)
    except ValueError as error:
        where = f"{document.source}:{document.line_of(('blueprint',))}"
        raise SpecError(wording.one_line(f'{where}: blueprint is "{named}", {error}.')) from error
