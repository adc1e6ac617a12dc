"""One stage for the tests of a module; each makes what it needs, and time only goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.young_account import NOTHING_HIDDEN, Stage, staged


@pytest.fixture(scope="module")
def _stage() -> Iterator[Stage]:
    with staged(NOTHING_HIDDEN) as one:
        yield one


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    """A stage on which nothing is hidden from readers, and nothing is wrong."""
    assert isinstance(_stage.world.wrong, dict)
    yield _stage
    _stage.world.wrong.clear()
