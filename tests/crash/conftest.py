from __future__ import annotations

import pytest

from tests.crash.process import gone_holder
from tier1_engine.store import holder


@pytest.fixture(autouse=True)
def _every_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed driver was this very test process: its holder must look gone, so that takeover is at once."""
    monkeypatch.setattr(holder, "this_process", gone_holder)
