from __future__ import annotations

import pytest

from tests.crash.process import gone_holder
from tier1_engine.store import holder


@pytest.fixture(autouse=True)
def _every_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that gave up was this very test process: its holder must look gone."""
    monkeypatch.setattr(holder, "this_process", gone_holder)
