"""The table of prices of instance types."""

from __future__ import annotations

import pytest

from tier1_engine.resources.instance_price import of_type


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
    """AWS's price list agrees; a type that is not in the table has no figure."""
    assert of_type(instance_type) == (None if dollars is None else pytest.approx(dollars))


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
    """The module names the list of 9 February 2026; AWS rounds the small prices."""
    assert of_type(instance_type) == pytest.approx(dollars, rel=0.01)
