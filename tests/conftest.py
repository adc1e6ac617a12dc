"""Fixtures of every test: no access to a real AWS, a private home folder, and databases of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.environment import CREDENTIALS, LONG, POSTGRES_URL, in_ci

pytest_plugins = [
    "tests.support.quick",
    "tests.support.table",
    "tests.support.promises",
    "tests.support.postgres",
    "tests.support.measuring",
    "tests.support.census",
    "tests.support.census_of_moto",
    "tests.support.local_aws",
]

# A slow machine is no defect; a run in CI can be repeated exactly.
hypothesis_settings.register_profile("tier1", deadline=None, database=None, derandomize=in_ci())
hypothesis_settings.load_profile("tier1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the longest tests to `make long`; a sample of each kind always runs."""
    if os.environ.get(LONG, "") == "1":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="`make long` runs it"))


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Isolate the test from the user's environment, and the user's files from the test."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "TIER1_")) and name != POSTGRES_URL:
            monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
