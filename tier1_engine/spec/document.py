"""Reads one YAML file into plain values, and records the line of each.

Owns the limits of a file: a regular UTF-8 file of at most 1 MiB, one document, a mapping at the top, text
keys, no duplicate keys, no tags that construct objects, and bounded depth and size after aliases are
expanded. It does not know what a key means: the models do.

Numbers, booleans and nulls are read as YAML 1.2 reads them (`no`, `on` and `22:30` are text).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tier1_engine.errors import SpecError
from tier1_engine.spec.values import KeyPath

MAX_BYTES = 1024 * 1024
MAX_DEPTH_LEVELS = 20
MAX_NODES = 10_000
"""The limit of the file, and again of its values after aliases are expanded."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem with one key; `sentence` begins with the key as the user writes it."""

    path: KeyPath
    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as values.

    Attributes:
        source: the path as the user wrote it; messages begin with it.
        values: the mapping at the top.
        lines: the line, from 1, of every key path.
        problems: duplicate keys, YAML tags, and keys that are not text.
    """

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)

    def line_of(self, path: KeyPath) -> int:
        """Return the line of `path`, or of its nearest parent in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def read_document(
    path: Path, noun: str = "spec", needs: str = "the keys name and region", example: str = "name: ai-stack"
) -> Document:
    """Read `path`.

    Args:
        noun: what messages call the file.
        needs: the keys that it must have, for a message.
        example: a line of such a file, for a message.

    Raises:
        SpecError: the file cannot be a spec; the message says why.
    """
    text = read_text(path, max_bytes=MAX_BYTES)
    try:
        _check_shape(text, str(path), noun)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SpecError(f"{where}: this is not valid YAML: {error.problem or error.context}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(
            f"{path}:{line}: the character U+{ord(text[error.position]):04X} is not allowed in YAML."
        ) from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
        raise SpecError(f"{path}: the {noun} is empty; it needs at least {needs}.")
    if not isinstance(root, yaml.MappingNode):
        raise SpecError(
            f"{path}:{_line(root)}: a {noun} is a mapping of keys to values, such as `{example}`."
        )
    return _Converter(str(path), noun).document(root)


def read_text(path: Path, *, max_bytes: int) -> str:
    """Read a regular UTF-8 file of at most `max_bytes`; never reads more than that plus one byte.

    Raises:
        SpecError: the file is missing, a directory or a device, unreadable, too large, or not text.
    """
    try:
        # Check the type before opening: opening a named pipe would wait for a writer.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SpecError(f"{path}: this is a directory; give a file.")
        if not stat.S_ISREG(mode):
            raise SpecError(f"{path}: this is not a regular file; give one.")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "the path cannot be used"
        raise SpecError(f"{path}: the file cannot be read: {reason}.") from error
    if len(content) > max_bytes:
        raise SpecError(f"{path}: the file is larger than {max_bytes} bytes, the most that is read.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{path}:{line}: the file is not UTF-8 text; save it as UTF-8.") from error


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalar rules of YAML 1.2's core schema."""


_TAG = "tag:yaml.org,2002:"
_NULL, _STR = f"{_TAG}null", f"{_TAG}str"
_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _check_shape(text: str, source: str, noun: str) -> None:
    """Check the limits on the parser's events, without recursion, before composing nodes from them."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise SpecError(f"{source}:{line}: a second document begins here; a {noun} file holds one.")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH_LEVELS:
                raise SpecError(
                    f"{source}:{line}: values are nested deeper than {MAX_DEPTH_LEVELS} levels; flatten them."
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
            if nodes > MAX_NODES:
                raise SpecError(f"{source}:{line}: there are more than {MAX_NODES} values; remove some.")


class _Converter:
    """Turns composed nodes into values; the limits apply to the expanded aliases."""

    def __init__(self, source: str, noun: str) -> None:
        self._document = Document(source)
        self._noun = noun
        self._nodes = 0

    def document(self, root: yaml.MappingNode) -> Document:
        self._document.values.update(self._mapping(root, ()))
        return self._document

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH_LEVELS:
            raise SpecError(
                f"{self._document.source}:{_line(node)}: aliases (*name) expand this {self._noun} to more "
                f"than {MAX_NODES} values or {MAX_DEPTH_LEVELS} levels; write the values out."
            )
        self._document.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in _SCALARS:
            try:
                return _SCALARS[node.tag.removeprefix(_TAG)](node.value)
            except ValueError:
                pass
        tag = node.tag.replace(_TAG, "!!")
        self._problem(
            node, path, f"{written(path)} has the YAML tag {tag}, which is not allowed; remove the tag."
        )
        return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in self._keys(node, path):
            inner = (*path, key.value)
            if key.value in values:
                first = self._document.lines[inner]
                self._problem(
                    key, inner, f"{written(inner)} is given twice, first on line {first}; remove one of them."
                )
                continue
            self._document.lines[inner] = _line(key)
            values[key.value] = self._value(value, inner)
        return values

    def _keys(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag == _STR:
                yield key, value
            else:
                where = f"{written(path)} has a key" if path else f"The {self._noun} has a key"
                self._problem(key, (*path, ""), f"{where} that is not text; put it in quotes.")

    def _problem(self, node: yaml.Node, path: KeyPath, sentence: str) -> None:
        self._document.problems.append(Diagnostic(path, _line(node), sentence))


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": _boolean,
    "null": lambda _: None,
}


def written(path: KeyPath) -> str:
    """Return a key path as the user writes it: `network.ingress[1].port`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
