"""The building blocks of the behaviour: the agenda, the patches of moto, and the figures."""

from __future__ import annotations

import pytest
from moto.ec2.models.instances import Instance

from tests.support.young_account import HandClock
from tier1_engine.sandbox.behaviour import patching
from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.figures import FIGURES


def test_due_actions_happen_in_order_and_at_their_own_time() -> None:
    """What follows from an action counts from when that action was due, however late a call comes."""
    clock = HandClock()
    agenda = Agenda(clock)
    seen: list[tuple[str, float]] = []

    def first() -> None:
        seen.append(("first", agenda.now))
        agenda.after(3, lambda: seen.append(("follows", agenda.now)))

    agenda.after(10, lambda: seen.append(("last", agenda.now)))
    agenda.after(5, first)
    agenda.settle()
    assert seen == []
    assert agenda.next_due == 5
    clock.turn(9)
    agenda.settle()
    assert seen == [("first", 5), ("follows", 8)]
    clock.turn(100)
    agenda.settle()
    assert seen[2:] == [("last", 10)]
    assert agenda.now == 109
    assert agenda.next_due is None


def test_the_agenda_continues_after_a_failed_action() -> None:
    """The time of the failed action is not taken for the present."""
    clock = HandClock()
    agenda = Agenda(clock)

    def fail() -> None:
        raise RuntimeError("an action")

    agenda.after(1, fail)
    clock.turn(5)
    with pytest.raises(RuntimeError, match="an action"):
        agenda.settle()
    assert agenda.now == 5
    agenda.after(1, fail)
    agenda.clear()
    clock.turn(5)
    agenda.settle()


def test_a_method_that_moto_removed_is_detected_at_once() -> None:
    """Otherwise the behaviour would silently never apply."""
    with pytest.raises(AttributeError):
        patching.put(Instance, "no_such_method", None)
    with pytest.raises(AttributeError):
        patching.around(Instance, "no_such_method")(lambda before: None)


def test_a_method_that_moto_has_added_is_detected_at_once() -> None:
    """The behaviour's method would hide it."""
    with pytest.raises(ValueError, match="has a terminate of its own"):
        patching.add(Instance, "terminate", lambda instance: None)


def test_an_inherited_method_is_restored_as_inherited() -> None:
    """A method put over an inherited one leaves no copy behind."""

    class Parent:
        def name(self) -> str:
            return "parent"

    class Child(Parent):
        pass

    patching.put(Child, "name", lambda self: "child")
    assert Child().name() == "child"
    patching.take_out()
    assert "name" not in vars(Child)
    assert Child().name() == "parent"


def test_every_figure_is_a_triangle_with_a_source() -> None:
    """Least, usual and most are in order and not negative, and the source is named."""
    for name, figure in FIGURES.items():
        assert 0 <= figure.least <= figure.usual <= figure.most, name
        assert figure.source, name
