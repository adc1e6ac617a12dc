"""A create is committed without a prior read if its kind uses its inputs unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.rows import deployment, step
from tests.support.scripted_cloud import ScriptedCloud
from tier1_engine import resources
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.record import Record
from tier1_engine.engine.protocol.intent import request_at_once
from tier1_engine.resources.vpc import Vpc

KINDS = resources.discover()
INPUTS = {"some": ["input", 1]}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_that_asks_aws_for_its_request_says_so(name: str) -> None:
    """By default a kind uses its inputs unchanged and calls nothing, so its create needs no read."""
    kind = KINDS[name]
    record = Record(deployment(), {"it": step("it", kind=name, inputs=INPUTS)}, {}, {})
    at_once = request_at_once("it", record, Registry(KINDS, {}))
    if kind.asks_aws_for_request:
        assert at_once is None
    else:
        assert at_once == kind.request(ScriptedCloud(), INPUTS) == INPUTS


def test_a_kind_that_defines_a_request_and_does_not_say_so_is_refused() -> None:
    """Its request would never be made."""
    with pytest.raises(TypeError, match="set asks_aws_for_request = True"):

        class Silent(Vpc):
            def request(self, cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
                return {}
