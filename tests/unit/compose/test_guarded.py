"""Code of another package may fail anywhere: no command ends by it, and the package is named."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest

from tier1_engine.compose.guarded import Unusable, guard_blueprint, guard_check, guard_kind
from tier1_engine.contract.blueprint import Blueprint
from tier1_engine.contract.kind import Check, Kind
from tier1_engine.contract.price import UNKNOWN_PRICE
from tier1_engine.contract.remedy import Remedy
from tier1_engine.errors import Refused, SpecError

PACKAGE = "the kind box (box:Box of the package box 1.0)"
DEFAULTS = {
    "price": UNKNOWN_PRICE,
    "fields": {},
    "console_url": None,
    "commands": {"look": [], "delete": []},
    "recipe": None,
    "candidates": 1,
    "candidate_name": "another candidate",
    "without": None,
}
WRONG = {
    "price": 3.5,
    "fields": ["x"],
    "console_url": 7,
    "commands": {},
    "recipe": "x",
    "candidates": 0,
    "candidate_name": 7,
    "without": ({}, 7),
}
RAISED = [ZeroDivisionError("by zero"), SystemExit(0), SystemExit("boo")]


def methods(contract: type[Any]) -> list[str]:
    """Every method that a plug-in may define."""
    return [
        name
        for name, value in vars(contract).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


def failing(contract: type[Any], does: Callable[..., Any], **attributes: Any) -> Any:
    """A plug-in whose every method does this."""
    found = dict.fromkeys(methods(contract), does)
    extra = {"asks_aws_for_request": True} if contract is Kind else {}
    return type("Box", (contract,), {"name": "box", **found, **extra, **attributes})()


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> Any:
        raise error

    return method


def call(plugin: Any, name: str) -> Any:
    """Call a method with as many arguments as it takes."""
    contract = Kind if isinstance(plugin, Kind) else Check if isinstance(plugin, Check) else Blueprint
    count = len(inspect.signature(getattr(contract, name)).parameters) - 1
    return getattr(plugin, name)(*[None] * count)


def test_what_a_kind_tells_people_falls_back_to_a_default() -> None:
    """This list and the contract's methods are the same: a new one must be put on one side."""
    for_engine = set(methods(Kind)) - set(DEFAULTS)
    assert for_engine == {
        "request", "reference", "find", "create", "describe", "glance", "configure", "delete", "list_owned",
        "list_beyond", "others_inside", "holders", "left_behind", "owns", "console",
    }  # fmt: skip


@pytest.mark.parametrize("error", RAISED, ids=repr)
@pytest.mark.parametrize("name", DEFAULTS)
def test_a_failing_method_answers_its_default_and_warns_once(name: str, error: BaseException) -> None:
    """The warning names method, package and error."""
    warnings: list[str] = []
    kind = failing(Kind, raising(error))
    guard_kind(kind, PACKAGE, warnings.append)
    assert [call(kind, name), call(kind, name)] == [DEFAULTS[name]] * 2
    (warning,) = warnings
    assert PACKAGE in warning
    assert f"`{name}`" in warning
    assert type(error).__name__ in warning


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_of_the_wrong_type_is_replaced(name: str) -> None:
    """It would fail later, in tier1's own code."""
    warnings: list[str] = []
    kind = failing(Kind, lambda *_: WRONG[name])
    guard_kind(kind, PACKAGE, warnings.append)
    assert call(kind, name) == DEFAULTS[name]
    assert len(warnings) == 1


@pytest.mark.parametrize("contract", [Kind, Check])
def test_no_method_for_the_engine_can_end_a_thread(contract: type[Any]) -> None:
    """`SystemExit` becomes an error, which fails the step; any other error stays as it is."""
    for error, expected in ((SystemExit(0), RuntimeError), (ZeroDivisionError(), ZeroDivisionError)):
        plugin = failing(contract, raising(error))
        if isinstance(plugin, Kind):
            guard_kind(plugin, PACKAGE, lambda _: None)
        else:
            guard_check(cast("Check", plugin))
        for name in set(methods(contract)) - set(DEFAULTS):
            with pytest.raises(expected):
                call(plugin, name)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"list_price": 3.5}, "its `list_price` is 3.5"),
        ({"remedies": {"Code": "a sentence"}}, "its `remedies` is"),
        ({"remedies": {"Code": Remedy("{open", ())}}, "its `remedies` cannot be read"),
        ({"still_safe": "{nothing}"}, "may have the field {id} and no other"),
        ({"gone": "NotFound"}, "its `gone` is 'NotFound'"),
        ({"iam_actions": (1,)}, "its `iam_actions` is (1,)"),
        ({"may_reference": "yes"}, "its `may_reference` is 'yes'"),
        ({"title": property(raising(SystemExit(0)))}, "its `title` cannot be read (SystemExit: 0)"),
    ],
)
def test_a_class_attribute_of_the_wrong_type_is_named(attributes: dict[str, Any], words: str) -> None:
    """It would fail only when it is needed: in the guide of a failed deployment, say."""
    kind = failing(Kind, raising(ZeroDivisionError()), **attributes)
    with pytest.raises(Unusable) as refusal:
        guard_kind(kind, PACKAGE, lambda _: None)
    assert words in str(refusal.value)


def test_what_foreign_code_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is JSON alone."""

    def chatty(*_: object) -> str:
        print("hello")  # noqa: T201 - as a careless package does
        return "https://example.test"

    kind = failing(Kind, chatty)
    guard_kind(kind, PACKAGE, lambda _: None)
    assert kind.console_url("us-east-1", "i") == "https://example.test"
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "hello\n")


@pytest.mark.parametrize("error", RAISED, ids=repr)
@pytest.mark.parametrize("name", ["plan", "survey", "as_deployed"])
def test_a_failing_blueprint_is_refused_by_its_package(name: str, error: BaseException) -> None:
    """Nothing exists by then, and the sentence says who has to correct what."""
    blueprint = failing(Blueprint, raising(error))
    guard_blueprint(blueprint, "The blueprint box (box:Box of the package box 1.0)")
    with pytest.raises(Refused, match=rf"box 1\.0\) fails in `{name}` \({type(error).__name__}") as refusal:
        call(blueprint, name)
    assert str(refusal.value).endswith("correct or update that package. Nothing was changed.")


def test_a_refusal_of_a_blueprint_keeps_its_words() -> None:
    """What it raises on purpose is its answer."""
    blueprint = failing(Blueprint, raising(SpecError("zones: there is no such zone.")))
    guard_blueprint(blueprint, "The blueprint box")
    with pytest.raises(SpecError, match=r"^zones: there is no such zone\.$"):
        blueprint.survey(None, None)
