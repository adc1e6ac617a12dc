"""An internet gateway, attached to one VPC. Its attachment is its configuration.

CreateInternetGateway takes no token: when its reply is lost, only the tags find the gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    oldest_first,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Holder, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Freeing, Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _ec2, _holders

NOT_FOUND = "InvalidInternetGatewayID.NotFound"
ATTACHMENT = "attachment"
ALREADY_ATTACHED = "Resource.AlreadyAssociated"
NOT_ATTACHED = "Gateway.NotAttached"
# Source: the EC2 API reference calls an attached gateway's state `available`, its model `attached`.
ATTACHED = frozenset({"available", "attached"})
DETACHED = frozenset({"detached"})


_GATEWAYS_PER_REGION = Quota("vpc", "L-A4707A72", "Internet gateways per Region")
REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    "InternetGatewayLimitExceeded": Remedy(
        "The account has reached its limit of internet gateways in {region}.",
        (
            "Delete gateways that no VPC needs, or deploy into one of your VPCs with `network.vpc_id`.",
            "Raising the VPC quota raises this one, too.",
        ),
        quota=_GATEWAYS_PER_REGION,
    ),
}


class InternetGateway(Kind):
    """Inputs: `{vpc_id}`."""

    name = "internet_gateway"
    title = "internet gateway"
    not_visible_yet = frozenset({NOT_FOUND, "InvalidVpcID.NotFound"})
    gone = frozenset({NOT_FOUND})
    iam_actions = (
        *_holders.INTERFACES,
        "ec2:AttachInternetGateway",
        "ec2:CreateInternetGateway",
        "ec2:CreateTags",
        "ec2:DeleteInternetGateway",
        "ec2:DescribeInternetGateways",
        "ec2:DetachInternetGateway",
    )
    implied_actions = (("CreateInternetGateway", "ec2:CreateTags"),)
    remedies = REMEDIES
    list_price = FREE

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self._list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_internet_gateway",
            TagSpecifications=tag_specifications(target.tags, "internet-gateway"),
        )
        part(reply, "InternetGateway", "InternetGatewayId", operation="CreateInternetGateway")
        return _observation(cloud, reply["InternetGateway"])

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        gateway_id = target.aws_id or ""
        try:
            hits = list(
                cloud.pages(
                    "ec2", "describe_internet_gateways", "InternetGateways", InternetGatewayIds=[gateway_id]
                )
            )
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        gateway = next((hit for hit in hits if hit.get("InternetGatewayId") == gateway_id), None)
        return ABSENT if gateway is None else _observation(cloud, gateway, target.request.get("vpc_id"))

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        if ATTACHMENT not in observation.unset:
            return
        try:
            cloud.change(
                "ec2",
                "attach_internet_gateway",
                InternetGatewayId=observation.aws_id,
                VpcId=target.request["vpc_id"],
            )
        except CallError as error:
            if error.code != ALREADY_ATTACHED:
                raise

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Detach, then delete. While addresses are mapped, the detach fails with DependencyViolation.

        From a VPC that its request does not name it is not detached: somebody attached it there.
        """
        own = target.request.get("vpc_id")
        if others := [vpc_id for vpc_id in observation.facts["vpc_ids"] if own not in (None, vpc_id)]:
            message = f"it is attached to {', '.join(others)}"
            raise CallError("DependencyViolation", message, operation="DeleteInternetGateway")
        for vpc_id in observation.facts["vpc_ids"]:
            try:
                cloud.change(
                    "ec2", "detach_internet_gateway", InternetGatewayId=observation.aws_id, VpcId=vpc_id
                )
            except CallError as error:
                if error.code != NOT_ATTACHED:
                    raise
        cloud.change("ec2", "delete_internet_gateway", InternetGatewayId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation
            for observation in self._list(cloud, tag_filters(tags))
            if carries(observation.tags, tags)
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """A foreign VPC that it was attached to meanwhile."""
        vpc_ids = self.describe(cloud, target).facts.get("vpc_ids", ())
        return [f"VPC {vpc_id}" for vpc_id in vpc_ids if vpc_id not in ours]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """A foreign VPC that it was attached to meanwhile, or foreign interfaces in its own."""
        vpc_ids = list(self.describe(cloud, target).facts.get("vpc_ids", ()))
        own = target.request.get("vpc_id")
        detach = ("ec2", "detach-internet-gateway", "--internet-gateway-id", target.aws_id or "", "--vpc-id")
        if others := [vpc_id for vpc_id in vpc_ids if own not in (None, vpc_id)]:
            return [Holder(f"the VPC {vpc_id}", aws(*detach, vpc_id)) for vpc_id in others]
        where = {"Name": "vpc-id", "Values": vpc_ids}
        return _holders.interfaces(cloud, where, ours) if vpc_ids else []

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "vpcconsole", f"InternetGateway:internetGatewayId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        gateway = ("--internet-gateway-id", aws_id)
        detach = [
            aws("ec2", "detach-internet-gateway", *gateway, "--vpc-id", vpc_id)
            for vpc_id in facts.get("vpc_ids", ())
        ]
        return {
            "look": [aws("ec2", "describe-internet-gateways", "--internet-gateway-ids", aws_id)],
            "delete": [*detach, aws("ec2", "delete-internet-gateway", *gateway)],
        }

    def recipe(self, target: Target) -> Recipe:
        own = target.request.get("vpc_id")
        only = f"?VpcId=='{own}'" if own else ""
        attached = f"InternetGateways[].Attachments[{only}].VpcId"
        return Recipe(
            find=find_line("describe-internet-gateways", "InternetGateways", "InternetGatewayId", target),
            free=(
                Freeing(
                    'aws ec2 describe-internet-gateways --internet-gateway-ids "$id" '
                    f'--query "{attached}" --output text',
                    'aws ec2 detach-internet-gateway --internet-gateway-id "$id" --vpc-id "$it"',
                    frozenset({NOT_ATTACHED}),
                ),
            ),
            delete='aws ec2 delete-internet-gateway --internet-gateway-id "$id"',
        )

    def _list(self, cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
        hits = list(cloud.pages("ec2", "describe_internet_gateways", "InternetGateways", Filters=filters))
        return [_observation(cloud, hit) for hit in oldest_first(hits, "InternetGatewayId")]


def _observation(cloud: Cloud, gateway: Mapping[str, Any], wanted_vpc_id: str | None = None) -> Observation:
    """The observation of a gateway; pending when the expected VPC is not given."""
    # An endpoint may leave the state out: attached.
    attachments = {
        attachment["VpcId"]: attachment.get("State", "attached")
        for attachment in gateway.get("Attachments") or ()
        if "VpcId" in attachment and attachment.get("State") not in DETACHED
    }
    presence = Presence.PENDING
    if wanted_vpc_id is not None and wanted_vpc_id not in attachments:
        presence = Presence.UNSET
    elif wanted_vpc_id is not None and attachments[wanted_vpc_id] in ATTACHED:
        presence = Presence.READY
    return Observation(
        presence,
        gateway["InternetGatewayId"],
        arn=arn(cloud, "ec2", f"internet-gateway/{gateway['InternetGatewayId']}"),
        tags=tag_dict(gateway.get("Tags")),
        facts={"vpc_ids": sorted(attachments)},
        unset=(ATTACHMENT,) if presence is Presence.UNSET else (),
    )
