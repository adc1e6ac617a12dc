"""The benchmark of the sandbox runs real deployments and prints the documented object."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from benchmarks import sandbox_load

KEYS = [
    "deployments",
    "seconds",
    "describe_ms_first",
    "describe_ms_last",
    "describe_ratio",
    "peak_mib",
    "added_ms",
    "added_ms_median",
]
MEMORY_LIMIT_MIB = 400


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """The benchmark sets up its process like an operator's."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.long
@pytest.mark.slow
def test_a_deployment_is_created_and_destroyed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure is a number, and the sandbox stays within its memory limit."""
    monkeypatch.setattr(sandbox_load, "LOOKS", 2)
    assert sandbox_load.main(["--deployments", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == KEYS
    assert found["deployments"] == 1
    assert found["describe_ms_first"].keys() == found["describe_ms_last"].keys()
    assert min(*found["describe_ms_last"].values(), found["describe_ratio"], found["seconds"]) > 0
    assert 50 < found["peak_mib"] < MEMORY_LIMIT_MIB
