"""Tells credentials that AWS refuses everywhere from a region that is not enabled for the account.

A region that is not enabled answers as if it did not know the credentials. Whether it is enabled says another
region, which every account has. Sources: https://repost.aws/knowledge-center/iam-validate-access-credentials
and https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html.
"""

from __future__ import annotations

from typing import Any

from tier1_engine.errors import CallError
from tier1_engine.failures.codes import REGION_NOT_ENABLED, UNKNOWN_CREDENTIALS

UNKNOWN_THERE = UNKNOWN_CREDENTIALS | {"AuthFailure"}
"""What a region that is not enabled answers; AuthFailure is EC2's."""
REFUSED_STATUS = frozenset({401, 403})


def about_region(error: CallError, region: str, shown: dict[str, Any]) -> CallError:
    """Return the error of a region that is not enabled; of any other, the error as it is.

    Args:
        shown: the reply of `DescribeRegions` about the region, from `home_of` it.
    """
    states = [one.get("OptInStatus") for one in shown.get("Regions") or ()]
    if states == ["not-opted-in"]:
        code, what = REGION_NOT_ENABLED, f"{region} is not enabled for the account"
    elif states == ["opted-in"]:
        code, what = error.code, f"{region} is enabled, but does not accept this session token"
    else:
        return error
    return CallError(
        code,
        f"{what}. AWS said: {error.message}",
        operation=error.operation,
        acted=error.acted,
        request_id=error.request_id,
        http_status=error.http_status,
    )
