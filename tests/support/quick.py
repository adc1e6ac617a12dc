"""Saves every test repeated work that no test is about.

botocore's models are parsed once per process; AWS's own objects in each account of moto are copied instead of
created; and what was loaded for the whole run is excluded from garbage collection.
"""

from __future__ import annotations

import gc
import sys
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader


def pytest_collection_finish() -> None:
    _read_models_once()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before a fixture makes an account."""
    if "moto.core.responses" in sys.modules:
        from tier1_engine.sandbox.process.region import make_accounts_quickly

        make_accounts_quickly()


@cache
def _read_models_once() -> None:
    """Each session of botocore has a loader of its own, which reads megabytes of JSON."""
    loader: Any = JSONFileLoader
    read, known = loader._load_file, JSONFileLoader()  # noqa: SLF001 - botocore has no other door
    files = cache(lambda *where: read(known, *where))
    loader._load_file = lambda _, *where: files(*where)  # noqa: SLF001
