"""Patching moto's classes, and restoring them.

Owns the original attributes. A name that moto no longer has raises an error at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_undo: list[Callable[[], None]] = []


def put(owner: object, name: str, value: Any) -> None:
    """Replace the attribute `name` of a class or module.

    Raises:
        AttributeError: there is no such attribute.
    """
    getattr(owner, name)
    own = vars(owner)
    if name in own:
        _undo.append(functools.partial(setattr, owner, name, own[name]))
    else:
        _undo.append(functools.partial(delattr, owner, name))
    setattr(owner, name, value)


def add(owner: type, name: str, function: Callable[..., Any]) -> None:
    """Add a method that a class of moto lacks.

    Raises:
        ValueError: the class has a method of this name, so the patch is no longer needed.
    """
    if hasattr(owner, name):
        raise ValueError(f"moto's {owner.__name__} has a {name} of its own")
    _undo.append(functools.partial(delattr, owner, name))
    setattr(owner, name, function)


def around(owner: object, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wrap the method `name` in the decorated function, which receives the original as its first argument.

    Raises:
        AttributeError: there is no such method.
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
    """A parameter of the call that a response object of moto answers; moto has no public accessor."""
    return response._get_param(name, default)  # noqa: SLF001


def is_in() -> bool:
    """Whether any patch is installed."""
    return bool(_undo)


def at_end(action: Callable[[], None]) -> None:
    """Register an action to run when the patches are removed."""
    _undo.append(action)


def take_out() -> None:
    """Restore moto, the last patch first."""
    while _undo:
        _undo.pop()()
