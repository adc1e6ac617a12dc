"""Plans: refs that are resolved later, and the order of steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tier1_engine.deployment.plan import StepPlan, ordered, ref, resolve
from tier1_engine.deployment.states import Phase
from tier1_engine.errors import Refused

FACTS: dict[str, dict[str, Any]] = {
    "net": {"id": "vpc-1", "arn": None, "zones": ["a", "b"]},
    "a.b": {"id": "x"},
}


def test_refs_are_replaced_wherever_they_stand() -> None:
    """They may be in maps, lists and tuples; other values stay."""
    value = {"vpc": ref("net"), "more": [ref("net", "zones"), {"n": 1}], "t": (ref("net", "arn"),)}
    assert resolve(value, FACTS) == {"vpc": "vpc-1", "more": [["a", "b"], {"n": 1}], "t": [None]}
    assert resolve("text", FACTS) == "text"


def test_a_step_name_may_contain_a_dot() -> None:
    """The fact is the part after the last dot."""
    assert resolve(ref("a.b"), FACTS) == "x"


@pytest.mark.parametrize("missing", [ref("net", "ip"), ref("door")])
def test_a_ref_that_no_finished_step_provides_is_refused(missing: dict[str, str]) -> None:
    """The sentence names it."""
    with pytest.raises(Refused, match="which no finished step provides"):
        resolve({"deep": [missing]}, FACTS)


def test_a_map_with_a_ref_and_other_keys_is_no_ref() -> None:
    """A user's own map that contains such a key is left alone."""
    assert resolve({"$ref": "net.id", "x": 1}, FACTS) == {"$ref": "net.id", "x": 1}


def steps(*pairs: tuple[str, tuple[str, ...]]) -> list[StepPlan]:
    return [StepPlan(name, Phase.NETWORK, "net", needs=needs) for name, needs in pairs]


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_each_step_comes_after_what_it_needs(count: int, rng: object) -> None:
    """For any plan without a circle, each step appears once."""
    names = [f"s{n}" for n in range(count)]
    plan = steps(*((n, tuple(m for m in names[:i] if rng.random() < 0.4)) for i, n in enumerate(names)))  # type: ignore[attr-defined]
    rng.shuffle(plan)  # type: ignore[attr-defined]
    order = [step.name for step in ordered(plan)]
    assert sorted(order) == sorted(names)
    for step in plan:
        assert all(order.index(need) < order.index(step.name) for need in step.needs)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (steps(("a", ()), ("a", ())), "two steps named a"),
        (steps(("a", ("b",))), "Step a needs b, which is not a step"),
        (steps(("a", ("b",)), ("b", ("a",))), "depend on each other in a cycle"),
        (steps(("a", ("a",))), "depend on each other in a cycle"),
    ],
)
def test_an_inconsistent_plan_is_refused(plan: list[StepPlan], sentence: str) -> None:
    """It is refused before anything is stored."""
    with pytest.raises(Refused, match=sentence):
        ordered(plan)
