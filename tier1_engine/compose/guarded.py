"""What happens when code of another package fails: never a bug of tier1, and never the end of a command.

Owns the guard around the kinds, checks and blueprints that other packages register. What a kind tells people
falls back to a default, with a warning. What the engine asks of it fails that step. A blueprint that fails is
refused before anything is created.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from tier1_engine.errors import Refused, Tier1Error

if TYPE_CHECKING:
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.contract.kind import Check, Kind

Tell = Callable[[str], None]
"""Gets a warning, in a sentence for the operator."""
Thing = TypeVar("Thing")

FAILURES = (Exception, SystemExit)
"""What foreign code may raise. `SystemExit` would end the command silently, with an exit code of its own."""


class Unusable(Exception):
    """What another package registers cannot be used; the message says why."""


def in_words(error: BaseException) -> str:
    """The error of foreign code in one printable line."""
    return in_line(f"{type(error).__name__}: {error}")


def in_line(text: str) -> str:
    """`text` in one printable line of bounded length."""
    from tier1_engine.spec.wording import one_line

    return one_line(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what foreign code prints to stderr: stdout belongs to the command's result."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


# --- kinds and checks


def guard_kind(kind: Kind, described: str, tell: Tell) -> None:
    """Guard the methods of a foreign kind.

    Raises:
        Unusable: a class attribute has the wrong type.
    """
    from tier1_engine.contract.kind import Kind

    _require_attributes(kind, _KIND_ATTRIBUTES)
    _require_sentence(kind.still_safe, "still_safe", {"id": "x"})
    defaults: dict[str, tuple[Callable[[Any], bool], Any]] = {
        "price": (_is_price, _unknown_price()),
        "fields": (_is_fields, {}),
        "console_url": (lambda value: isinstance(value, str), None),
        "commands": (_is_commands, {"look": [], "delete": []}),
        "recipe": (_is_recipe, None),
        "candidate_name": (lambda value: isinstance(value, str), "another candidate"),
        "candidates": (lambda value: isinstance(value, int) and value > 0, 1),
        "without": (_is_without, None),
    }
    for name, (is_valid, default) in defaults.items():
        setattr(kind, name, _or_default(getattr(kind, name), name, is_valid, default, described, tell))
    _stay_alive(kind, Kind, but=frozenset(defaults))


def guard_check(check: Check) -> None:
    """Guard the methods of a foreign check.

    Raises:
        Unusable: a class attribute has the wrong type.
    """
    from tier1_engine.contract.kind import Check

    _require_attributes(check, _CHECK_ATTRIBUTES)
    _stay_alive(check, Check)


def _or_default(
    method: Callable[..., Any],
    name: str,
    is_valid: Callable[[Any], bool],
    default: Any,
    described: str,
    tell: Tell,
) -> Callable[..., Any]:
    """`method`, or the default where it raises or answers with something else. Each method warns once."""
    warned = False

    @wraps(method)
    def guarded(*arguments: Any) -> Any:
        nonlocal warned
        try:
            with quiet():
                answer = method(*arguments)
            if is_valid(answer):
                return answer
            why = f"it answered with {in_line(repr(answer))}"
        except FAILURES as error:
            why = in_words(error)
        if not warned:
            warned = True
            tell(f"warning: {described} fails in `{name}` ({why}): what it should say is left out.")
        return default

    return guarded


def _stay_alive(made: object, base: type[Any], but: frozenset[str] = frozenset()) -> None:
    """Let no method of the contract end the thread that calls it."""
    for name in vars(base):
        method = getattr(made, name)
        if callable(method) and not name.startswith("_") and name not in but:
            setattr(made, name, _without_exit(method))


def _without_exit(method: Callable[..., Thing]) -> Callable[..., Thing]:
    @wraps(method)
    def guarded(*arguments: Any, **named: Any) -> Thing:
        try:
            return method(*arguments, **named)
        except SystemExit as error:
            raise RuntimeError(in_words(error)) from error

    return guarded


def _is_codes(value: Any) -> bool:
    return isinstance(value, frozenset | set | tuple | list) and all(isinstance(code, str) for code in value)


def _is_pairs(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(_is_codes(pair) and len(pair) == 2 for pair in value)


def _is_remedies(value: Any) -> bool:
    from tier1_engine.contract.remedy import Remedy, filled, sentence

    if not isinstance(value, Mapping) or not all(isinstance(one, Remedy) for one in value.values()):
        return False
    for one in value.values():
        for text in (one.why, *one.fix):
            sentence(text, {})  # its fields can be read
        for words in (*one.look, *one.inspect_on_aws):
            for word in words:
                filled(word, {})
    return all(isinstance(code, str) for code in value)


def _is_price(value: Any) -> bool:
    from tier1_engine.contract.price import Price

    return isinstance(value, Price) and isinstance(value.hourly, float | int | None)


def _unknown_price() -> Any:
    from tier1_engine.contract.price import UNKNOWN_PRICE

    return UNKNOWN_PRICE


def _is_fields(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)


def _is_commands(value: Any) -> bool:
    if not isinstance(value, Mapping) or not {"look", "delete"} <= set(value):
        return False
    return all(isinstance(lines, tuple | list) and _is_codes(lines) for lines in value.values())


def _is_recipe(value: Any) -> bool:
    from tier1_engine.contract.manual import Recipe

    return value is None or isinstance(value, Recipe)


def _is_without(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, tuple) and len(value) == 2 and _is_json_object(value[0]) and _is_text(value[1])


def _is_json_object(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_CHECK_ATTRIBUTES: Mapping[str, Callable[[Any], bool]] = {
    "title": _is_text,
    "remedies": _is_remedies,
    "iam_actions": _is_codes,
}
_KIND_ATTRIBUTES: Mapping[str, Callable[[Any], bool]] = {
    **_CHECK_ATTRIBUTES,
    **dict.fromkeys(
        (
            "already_exists",
            "token_spent",
            "not_visible_yet",
            "next_candidate",
            "not_offered",
            "gone",
            "in_use",
        ),
        _is_codes,
    ),
    "implied_actions": _is_pairs,
    "list_price": _is_price,
    "still_safe": _is_text,
    **dict.fromkeys(
        ("may_reference", "holds_interfaces", "archives_console", "asks_aws_for_request"), _is_flag
    ),
}


def _require_attributes(made: object, expected: Mapping[str, Callable[[Any], bool]]) -> None:
    for name, is_valid in expected.items():
        try:
            valid = is_valid(getattr(made, name))
        except FAILURES as error:
            raise Unusable(f"its `{name}` cannot be read ({in_words(error)})") from error
        if not valid:
            raise Unusable(f"its `{name}` is {in_line(repr(getattr(made, name)))}, which is not valid")


def _require_sentence(text: str, name: str, known: Mapping[str, str]) -> None:
    try:
        text.format(**known)
    except FAILURES as error:
        fields = ", ".join(f"{{{field}}}" for field in known)
        raise Unusable(
            f"its `{name}` may have the field {fields} and no other ({in_words(error)})"
        ) from error


# --- blueprints


def guard_blueprint(blueprint: Blueprint[Any], described: str) -> None:
    """Turn what a foreign blueprint raises into a refusal that names its package."""
    for name in ("plan", "survey", "as_deployed"):
        setattr(blueprint, name, _or_refuse(getattr(blueprint, name), name, described))


def _or_refuse(method: Callable[..., Any], name: str, described: str) -> Callable[..., Any]:
    @wraps(method)
    def guarded(*arguments: Any, **named: Any) -> Any:
        with refusing(described, name):
            answer = method(*arguments, **named)
            if name == "survey":
                json.dumps(answer)
            return answer

    return guarded


@contextlib.contextmanager
def refusing(described: str, name: str) -> Iterator[None]:
    """Refuse when foreign code fails within; what it raises on purpose passes.

    Raises:
        Refused: it failed.
    """
    try:
        with quiet():
            yield
    except Tier1Error:
        raise
    except FAILURES as error:
        raise Refused(
            f"{described} fails in `{name}` ({in_words(error)}): correct or update that package. "
            "Nothing was changed."
        ) from error
