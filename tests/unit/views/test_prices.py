"""The cost estimate of remaining resources: known prices, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rows import resource
from tier1_engine import resources
from tier1_engine.deployment.record import ENDED_FACT
from tier1_engine.views.prices import Prices, briefly

MACHINE = {
    "candidates": [
        {"type": "t3.medium", "market": "spot"},
        {"type": "t3a.large", "market": "on-demand"},
    ],
    "root_volume_gib": 30,
    "associate_public_ip": True,
}


PRICES = Prices(resources.discover())


def row(kind: str, **values: Any) -> Any:
    return resource(kind=kind, **values)


def test_an_instance_costs_its_machine_volume_and_address() -> None:
    """The chosen candidate counts; spot costs at most the on-demand price."""
    on_demand = PRICES.of_resource(row("instance", request=MACHINE, candidate=1))
    assert on_demand.hourly == pytest.approx(0.0752 + 30 * 0.08 / 730 + 0.005)
    assert on_demand.words == "$0.0835/h, $60.95/month (t3a.large, 30 GiB gp3, public IPv4)"
    spot = PRICES.of_resource(row("instance", request=MACHINE))
    assert "t3.medium, at most, because it is spot" in spot.words


def test_an_unknown_price_is_never_zero() -> None:
    """Examples are a third-party kind, and a type that is not in the table."""
    unknown = [row("bucket"), row("instance", request={"candidates": [{"type": "x9.large"}]})]
    assert [PRICES.of_resource(one).hourly for one in unknown] == [None, None]
    assert "unknown" in PRICES.of_resource(unknown[0]).words
    assert "x9.large" in PRICES.of_resource(unknown[1]).words
    assert PRICES.in_sum(unknown) == "no hourly charge, and 2 of unknown price"


def test_every_built_in_kind_has_a_price() -> None:
    """A new kind of this package declares its price, or that it is free."""
    for kind in PRICES.kinds.values():
        request = MACHINE if kind.name == "instance" else {}
        assert PRICES.of_resource(row(kind.name, request=request)).hourly is not None, kind.name


def test_ended_resources_cost_nothing() -> None:
    """A terminated instance stays on record until it is deleted."""
    ended = row("instance", request=MACHINE, facts={ENDED_FACT: True})
    assert PRICES.of_resource(ended).words == "no charge: terminated"
    assert PRICES.hourly([ended]) == 0.0


def test_a_file_system_costs_what_it_stores() -> None:
    """It has no hourly figure, and says why."""
    assert "$0.30 per GB" in PRICES.of_resource(row("file_system")).words
    assert PRICES.of_resource(row("vpc")).words == "no charge"


def test_a_sum_is_short_and_empty_for_nothing() -> None:
    """It is for a line of `list`."""
    things = [row("instance", request=MACHINE), row("vpc")]
    assert PRICES.in_sum(things) == "about $0.05/h, $36/month"
    assert briefly(PRICES.hourly(things)) == "~$0.05/h"
    assert briefly(PRICES.hourly([row("vpc")])) == ""
