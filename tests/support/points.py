"""Says at which of many points an assertion failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told(where: str) -> Iterator[None]:
    """Say at which kill an assertion failed."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
