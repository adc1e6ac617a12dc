"""Putting a manner into moto's classes, and taking all of them out again.

Owns what was there before. A name that moto no longer has is a defect to be seen at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_undo: list[Callable[[], None]] = []


def put(owner: object, name: str, value: Any) -> None:
    """Replace the attribute `name` of a class or module.

    Raises:
        AttributeError: there is nothing of this name.
    """
    getattr(owner, name)
    own = vars(owner)
    if name in own:
        _undo.append(functools.partial(setattr, owner, name, own[name]))
    else:
        _undo.append(functools.partial(delattr, owner, name))
    setattr(owner, name, value)


def add(owner: type, name: str, function: Callable[..., Any]) -> None:
    """Give a class of moto a method that it lacks; one that it has got meanwhile is a defect to be seen.

    Raises:
        ValueError: there is one of this name.
    """
    if hasattr(owner, name):
        raise ValueError(f"moto's {owner.__name__} has a {name} of its own")
    _undo.append(functools.partial(delattr, owner, name))
    setattr(owner, name, function)


def around(owner: object, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function around the method `name`; it gets the one before as its first argument.

    Raises:
        AttributeError: there is nothing of this name.
    """

    def put_around(function: Callable[..., Any]) -> Callable[..., Any]:
        before = getattr(owner, name)

        @functools.wraps(before)
        def instead(*arguments: Any, **named: Any) -> Any:
            return function(before, *arguments, **named)

        put(owner, name, instead)
        return function

    return put_around


def asked(response: Any, name: str, default: Any = None) -> Any:
    """A parameter of the call that a response object of moto answers; no public name leads to it."""
    return response._get_param(name, default)  # noqa: SLF001


def is_in() -> bool:
    """Whether anything was put in that is not taken out."""
    return bool(_undo)


def at_end(action: Callable[[], None]) -> None:
    """Have something done when the manners are taken out."""
    _undo.append(action)


def take_out() -> None:
    """Leave moto as it was, the last change first."""
    while _undo:
        _undo.pop()()
