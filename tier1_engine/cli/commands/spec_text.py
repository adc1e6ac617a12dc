"""`tier1 show ID --spec`: renders a stored spec as the YAML that a user would write.

Owns the conversion from stored values: seconds become durations, a script becomes its path. The result is
a valid spec file, except that the user must put back each masked secret, which it marks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from tier1_engine.masking import masked

if TYPE_CHECKING:
    from tier1_engine.deployment.record import Deployment

SCRIPT_KEYS = frozenset({"path", "sha256", "text"})
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9._/-]*|[0-9]+[smhd]")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
Path = tuple[str | int, ...]


Durations = Collection[tuple[str, ...]]


def as_yaml(deployment: Deployment, durations: Durations) -> tuple[str, list[str]]:
    """Return the spec of a deployment, including flags of its `deploy`, and notes on what is not shown.

    Args:
        durations: the key paths whose numbers are seconds (`spec.part.durations_of` the blueprint's model).
    """
    stored: dict[str, Any] = dict(deployment.spec)
    policy = {"rollback": deployment.rollback_enabled, "on_recoverable": deployment.on_recoverable}
    stored["policy"] = {**stored.get("policy", {}), **policy}
    text = yaml.dump(
        _written(stored, (), durations), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text, list(_hidden(stored, ()))


def _written(value: Any, path: Path, durations: Durations) -> Any:
    """Return a value as a user writes it, without nulls, which mean the default."""
    if _is_script(value):
        return value["path"]
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if item is not None}
        return {key: _written(item, (*path, key), durations) for key, item in kept.items()}
    if isinstance(value, list | tuple):
        return [_written(item, (*path, index), durations) for index, item in enumerate(value)]
    if isinstance(value, float) and tuple(part for part in path if isinstance(part, str)) in durations:
        return _duration(value)
    return masked(value)


def _is_script(value: Any) -> bool:
    """Whether a value is a stored script: its path, digest and text."""
    return isinstance(value, Mapping) and set(value) == SCRIPT_KEYS


def _duration(seconds: float) -> str:
    """Format whole seconds in the largest unit that divides them."""
    whole = int(seconds)
    return next(f"{whole // size}{unit}" for unit, size in _UNITS if whole % size == 0)


def _hidden(value: Any, path: Path) -> Iterator[str]:
    """Yield a sentence for each value that the text does not show."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if _is_script(value):
        sha256 = value.get("sha256")
        yield f"{where}: the script is named by its path; its text (SHA-256 {sha256}) is not shown."
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _hidden(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _hidden(item, (*path, index))
    elif masked(value) != value:
        yield f"{where}: the secret in it is shown as ***; restore it before you use this as a spec."


class _Dumper(yaml.SafeDumper):
    """Quotes every string that some YAML version could read as another type."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)
