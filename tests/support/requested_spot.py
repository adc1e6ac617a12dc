"""A spot request that is asked for by itself, as a user may: `tier1` has them from `RunInstances` only."""

from __future__ import annotations

from tier1_engine.aws.words import part, tag_specifications
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Observation, Presence, Target
from tier1_engine.errors import CallError
from tier1_engine.resources.spot_request import NOT_FOUND, SpotRequest


class RequestedSpot(SpotRequest):
    """Inputs: `{subnet_id}`."""

    name = "spot_request"
    iam_actions = (*SpotRequest.iam_actions, "ec2:RequestSpotInstances")  # type: ignore[assignment]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "request_spot_instances",
            ClientToken=target.key,
            LaunchSpecification={
                "ImageId": "ami-12c6146b",
                "InstanceType": "t3.nano",
                "SubnetId": target.request["subnet_id"],
            },
            TagSpecifications=tag_specifications(target.tags, "spot-instances-request"),
        )
        (made,) = part(reply, "SpotInstanceRequests", operation="RequestSpotInstances")
        return Observation(
            Presence.READY, part(made, "SpotInstanceRequestId", operation="RequestSpotInstances")
        )

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        if self.describe(cloud, target) is ABSENT:  # plain moto fails with a KeyError
            raise CallError(NOT_FOUND, "It is gone.", operation="CancelSpotInstanceRequests")
        super().delete(cloud, target, observation)
