"""The estimate of what is left: what the table knows, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rows import resource
from tier1_engine import resources
from tier1_engine.deployment.record import ENDED_FACT
from tier1_engine.views import prices

MACHINE = {
    "candidates": [
        {"type": "t3.medium", "market": "spot"},
        {"type": "t3a.large", "market": "on-demand"},
    ],
    "root_volume_gib": 30,
    "associate_public_ip": True,
}


def row(kind: str, **values: Any) -> Any:
    return resource(kind=kind, **values)


@pytest.mark.parametrize(
    ("instance_type", "dollars"),
    [
        ("t3.nano", 0.0052),
        ("t3.medium", 0.0416),
        ("t3.2xlarge", 0.3328),
        ("m7i.48xlarge", 9.6768),
        ("g5.xlarge", 1.006),
        ("x9.large", None),
        ("t3.enormous", None),
        ("", None),
    ],
)
def test_an_hour_of_a_type_is_the_price_of_its_family_by_size(
    instance_type: str, dollars: float | None
) -> None:
    """AWS's own list says the same; what is not in the table has no figure."""
    assert prices.of_type(instance_type) == (None if dollars is None else pytest.approx(dollars))


@pytest.mark.parametrize(
    ("instance_type", "dollars"),
    [
        ("t2.small", 0.023),
        ("t3a.micro", 0.0094),
        ("t4g.2xlarge", 0.2688),
        ("m5a.24xlarge", 4.128),
        ("m6g.medium", 0.0385),
        ("m7a.32xlarge", 7.41888),
        ("m7i-flex.16xlarge", 3.06432),
        ("m8i.96xlarge", 20.32128),
        ("c5.9xlarge", 1.53),
        ("c6a.48xlarge", 7.344),
        ("c7g.medium", 0.0363),
        ("c8g.24xlarge", 3.82848),
        ("r5.24xlarge", 6.048),
        ("r7i.48xlarge", 12.7008),
        ("r8a.16xlarge", 5.11232),
        ("g6.48xlarge", 13.3504),
    ],
)
def test_other_sizes_are_as_aws_lists_them(instance_type: str, dollars: float) -> None:
    """Read off the list of 9 February 2026 that the module names; AWS rounds the small ones."""
    assert prices.of_type(instance_type) == pytest.approx(dollars, rel=0.01)


def test_an_instance_costs_its_machine_its_volume_and_its_address() -> None:
    """By the candidate that was taken; spot is at most the price on demand."""
    on_demand = prices.of_resource(row("instance", request=MACHINE, candidate=1))
    assert on_demand.hourly == pytest.approx(0.0752 + 30 * 0.08 / 730 + 0.005)
    assert on_demand.words == "$0.0835/h, $60.95/month (t3a.large, 30 GiB gp3, public IPv4)"
    spot = prices.of_resource(row("instance", request=MACHINE))
    assert "t3.medium, at most, because it is spot" in spot.words


def test_what_is_not_known_is_never_free() -> None:
    """A kind of somebody else's, and a type that is not in the table."""
    unknown = [row("bucket"), row("instance", request={"candidates": [{"type": "x9.large"}]})]
    assert [prices.of_resource(one).hourly for one in unknown] == [None, None]
    assert "unknown" in prices.of_resource(unknown[0]).words
    assert "x9.large" in prices.of_resource(unknown[1]).words
    assert prices.in_sum(unknown) == "no hourly charge, and 2 of unknown price"


def test_every_kind_of_ours_has_a_price() -> None:
    """A new kind is priced, or named as free, by being added to the table."""
    for kind in resources.discover().values():
        request = MACHINE if kind.name == "instance" else {}
        assert prices.of_resource(row(kind.name, request=request)).hourly is not None, kind.name


def test_what_has_ended_costs_nothing_more() -> None:
    """An instance that died by itself stays on record until it is taken off."""
    ended = row("instance", request=MACHINE, facts={ENDED_FACT: True})
    assert prices.of_resource(ended).words == "no charge: terminated"
    assert prices.hourly([ended]) == 0.0


def test_a_file_system_costs_what_it_stores() -> None:
    """It has no hourly figure, and says why."""
    assert "$0.30 per GB" in prices.of_resource(row("file_system")).words
    assert prices.of_resource(row("vpc")).words == "no charge"


def test_a_sum_is_short_and_nothing_where_there_is_nothing() -> None:
    """For a line of `list`."""
    things = [row("instance", request=MACHINE), row("vpc")]
    assert prices.in_sum(things) == "about $0.05/h, $36/month"
    assert prices.briefly(prices.hourly(things)) == "~$0.05/h"
    assert prices.briefly(prices.hourly([row("vpc")])) == ""
