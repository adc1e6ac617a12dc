"""Saves every test repeated work that no test is about.

botocore's models are parsed once per process; AWS's own objects in each account of moto are copied instead of
created; and what was loaded for the whole run is excluded from garbage collection.
"""

from __future__ import annotations

import gc
import sys

import pytest

from tests.support.warm import keep_models


def pytest_collection_finish() -> None:
    keep_models()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before a fixture makes an account."""
    if "moto.core.responses" in sys.modules:
        from tier1_engine.sandbox.process.region import make_accounts_quickly

        make_accounts_quickly()
