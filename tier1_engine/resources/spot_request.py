"""A spot request. AWS makes that of a spot instance with it, and closes it when the instance is terminated.

No step of `tier1` creates one: the census and the sweeps look for requests that outlived their instance,
because a persistent one launches another. One whose instance stands belongs to it, and is never listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    resource_filters,
    tag_dict,
    tag_filters,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.errors import CallError, Refused

NOT_FOUND = "InvalidSpotInstanceRequestID.NotFound"
# Source: SpotInstanceState in the EC2 model. A `disabled` one launches again when its instance is started.
OPEN = ("open", "active", "disabled")
STANDING = ("pending", "running", "shutting-down", "stopping", "stopped")


class SpotRequest(Kind):
    """Made by `RunInstances`. Cancelling one does not terminate its instance (EC2 API reference)."""

    name = "spot_request"
    title = "spot request"
    not_visible_yet = frozenset({NOT_FOUND})
    gone = frozenset({NOT_FOUND})
    iam_actions = (
        "ec2:DescribeSpotInstanceRequests",
        "ec2:DescribeInstances",
        "ec2:CancelSpotInstanceRequests",
    )
    list_price = FREE

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return _list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        raise Refused("A spot request is not created by itself: AWS makes it with its instance.")

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        try:
            reply = cloud.read(
                "ec2", "describe_spot_instance_requests", SpotInstanceRequestIds=[target.aws_id or ""]
            )
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        shown = reply.get("SpotInstanceRequests") or ()
        ours = (one for one in shown if one.get("SpotInstanceRequestId") == target.aws_id)
        return next((_observation(cloud, one) for one in ours), ABSENT)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "cancel_spot_instance_requests", SpotInstanceRequestIds=[observation.aws_id])

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [one for one in _list(cloud, tag_filters(tags)) if carries(one.tags, tags)]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"SpotInstancesDetails:id={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        by_id = ("--spot-instance-request-ids", aws_id)
        return {
            "look": [aws("ec2", "describe-spot-instance-requests", *by_id)],
            "delete": [aws("ec2", "cancel-spot-instance-requests", *by_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        return Recipe(
            find=find_line(
                "describe-spot-instance-requests",
                "SpotInstanceRequests",
                "SpotInstanceRequestId",
                target,
                f"Name=state,Values={','.join(OPEN)}",
            ),
            delete='aws ec2 cancel-spot-instance-requests --spot-instance-request-ids "$id"',
        )


def _list(cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
    """Every request that matches and may launch an instance, but for those whose instance stands and matches:
    that is listed itself, and AWS closes its request with it.
    """
    still_open = {"Name": "state", "Values": list(OPEN)}
    wanted = [*filters, still_open]
    shown = list(
        cloud.pages("ec2", "describe_spot_instance_requests", "SpotInstanceRequests", Filters=wanted)
    )
    with_instance: set[str] = set()
    if any(one.get("InstanceId") for one in shown):
        standing = {"Name": "instance-state-name", "Values": list(STANDING)}
        held = cloud.pages("ec2", "describe_instances", "Reservations", Filters=[*filters, standing])
        with_instance = {
            str(one.get("SpotInstanceRequestId"))
            for reservation in held
            for one in reservation.get("Instances") or ()
        }
    ids = ((one.get("SpotInstanceRequestId"), one) for one in shown)
    return [_observation(cloud, one) for id, one in ids if id and id not in with_instance]


def _observation(cloud: Cloud, request: Mapping[str, Any]) -> Observation:
    request_id = request["SpotInstanceRequestId"]
    return Observation(
        Presence.READY if request.get("State") in OPEN else Presence.GONE,
        request_id,
        arn=arn(cloud, "ec2", f"spot-instances-request/{request_id}"),
        tags=tag_dict(request.get("Tags")),
        facts={"type": request.get("Type")},
        made_at=iso_8601(request.get("CreateTime")),
    )
