"""Reports at which of many points an assertion failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_point(where: str) -> Iterator[None]:
    """Add the point to the message of a failed assertion."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
