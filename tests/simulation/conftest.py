from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulation.databases import fast_store
from tests.support.simulation.rig import Rig


@pytest.fixture
def rig(sqlite_template: Path) -> Rig:
    return Rig(fast_store("simulation", sqlite_template))
