"""Single values of a spec: durations, regions and the ranges of subnets."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tier1_engine.spec import values


class TestRegions:
    def test_without_botocore_any_region_of_the_right_form_goes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The list of regions is optional."""
        monkeypatch.setattr(values, "find_spec", lambda name: None)
        values.known_regions.cache_clear()
        assert values.region("us-east-9") == "us-east-9"
        values.known_regions.cache_clear()

    def test_a_botocore_with_a_moved_list_stops_nothing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Any region of the right form is accepted, as without botocore."""
        found = type("Found", (), {"origin": str(tmp_path / "__init__.py")})()
        monkeypatch.setattr(values, "find_spec", lambda name: found)
        values.known_regions.cache_clear()
        assert values.known_regions() == frozenset()
        values.known_regions.cache_clear()

    @pytest.mark.parametrize(
        "region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eu-central-2", "eusc-de-east-1"]
    )
    def test_regions_of_every_partition_are_known(self, region: str) -> None:
        """GovCloud, China and Europe's sovereign region are included."""
        assert values.region(region) == region


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


DURATION_LIKE = "0123456789smhdSMHD wy.,+-e\t\n\u0663\uff11"
"""Characters of durations, and what resembles them: other digits, signs and space."""


@given(st.integers(0, 10**10), st.sampled_from("smhd"))
def test_a_duration_is_its_number_times_its_unit_within_a_year(number: int, unit: str) -> None:
    """It is exact, positive and bounded."""
    seconds = number * UNITS[unit]
    if 0 < seconds <= 365 * 86400:
        assert values.duration(f"{number}{unit}") == seconds
    else:
        with pytest.raises(ValueError, match="must be"):
            values.duration(f"{number}{unit}")


@given(st.text(DURATION_LIKE).filter(lambda text: not re.fullmatch("[0-9]+[smhd]", text)))
def test_other_text_is_no_duration(text: str) -> None:
    """Every such text gets the same refusal."""
    with pytest.raises(ValueError, match="must be a whole number with a unit"):
        values.duration(text)


@given(st.integers(16, 28), st.integers(0, 2**12 - 1), st.integers(1, 6))
def test_subnets_lie_inside_the_vpc_apart_from_each_other_and_are_as_large_as_may_be(
    prefix: int, offset: int, count: int
) -> None:
    """Otherwise the block is refused, and then even the smallest subnets would not fit."""
    vpc = ipaddress.IPv4Network((10 * 2**24 + offset * 2 ** (32 - prefix), prefix))
    try:
        blocks = [ipaddress.IPv4Network(block) for block in values.subnet_cidrs(str(vpc), count)]
    except ValueError:
        assert 2 ** (28 - prefix) < count
        return
    assert len(blocks) == count
    assert all(block.subnet_of(vpc) for block in blocks)
    assert not any(a.overlaps(b) for i, a in enumerate(blocks) for b in blocks[:i])
    (size,) = {block.prefixlen for block in blocks}
    assert 20 <= size <= 28
    assert size == 20 or size == prefix or 2 ** (size - 1 - prefix) < count
