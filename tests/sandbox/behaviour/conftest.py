"""One sandbox for the tests of a module; each creates what it needs, and the clock only moves forward."""

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
    """A sandbox without visibility delays and without faults."""
    assert isinstance(_stage.world.wrong, dict)
    yield _stage
    _stage.world.wrong.clear()
