"""The EC2 instance: one call with a client token, spot or on demand, with its own volumes and interface.

Owns the interpretation of EC2's answers about an instance. `instance_request` builds the request,
`instance_price` and `instance_remedies` hold prices and remedies, and the engine chooses the candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tier1_engine.aws.console_output import console_output
from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, COMPANIONS, Kind, Observation, Presence, Problem, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import Price
from tier1_engine.errors import CallError
from tier1_engine.resources import instance_leftovers, instance_price, instance_remedies, instance_request

NOT_FOUND = "InvalidInstanceID.NotFound"
CONSOLE_LIMIT_CHARACTERS = 65_536
"""EC2 itself keeps the last 64 KiB."""
PUBLIC_ADDRESS_GRACE_SECONDS = 15.0
"""How long a running instance may take after its launch to get its public address.

On AWS it has one by then; some emulators never assign one.
"""

# Source: InstanceStateName in botocore's ec2 model. A stopped instance never restarts by itself.
PRESENCES: Mapping[str, Presence] = {
    "pending": Presence.PENDING,
    "running": Presence.READY,
    "stopping": Presence.BROKEN,
    "stopped": Presence.BROKEN,
    "shutting-down": Presence.LEAVING,
    "terminated": Presence.GONE,
}
TERMINATED_BY_HAND = "Client.UserInitiatedShutdown"


class Instance(Kind):
    """An EC2 instance. Source of codes: the EC2 API reference, "Error codes", and `StateReason`.

    With a KMS key of yours the caller also needs `kms:CreateGrant`, `kms:Decrypt`, `kms:DescribeKey`,
    `kms:GenerateDataKeyWithoutPlaintext` and `kms:ReEncrypt*` on it (EBS user guide, "Requirements for Amazon
    EBS encryption").
    """

    name = "instance"
    title = "EC2 instance"
    # Some accounts get this code; others get the terminated instance as the answer (boto/boto3#4406).
    token_spent = frozenset({"IdempotentInstanceTerminated"})
    not_visible_yet = frozenset(
        {
            # RunInstances returns this for an instance profile that EC2 does not see yet.
            "InvalidParameterValue",
            "InvalidIamInstanceProfileArn.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidGroup.NotFound",
            "InvalidSecurityGroupID.NotFound",
            NOT_FOUND,
        }
    )
    next_candidate = frozenset(
        {
            "InsufficientCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientVolumeCapacity",
            "ReservationCapacityExceeded",
            "UnfulfillableCapacity",
            "VolumeTypeNotAvailableInZone",
            # The zone's subnet has no free address.
            "InsufficientFreeAddressesInSubnet",
            # The type is not offered in the zone.
            "Unsupported",
            # The type does not go with the rest of the request, or with the account: "The specified instance
            # type is not eligible for Free Tier" (splunk/attack_range#1302). Another type may.
            "InvalidParameterCombination",
            "UnsupportedOperation",
            # Quotas; each applies to one market and one group of instance types.
            "InstanceLimitExceeded",
            "VcpuLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            # Spot: the price, and an account that may not create spot's service-linked role.
            "SpotMaxPriceTooLow",
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            # State reasons of an instance that AWS ended while it started.
            "Server.InsufficientInstanceCapacity",
            "Server.InternalError",
            "Server.SpotInstanceTermination",
            "Server.SpotInstanceShutdown",
        }
    )
    # moto returns the second when a terminated instance is terminated again; on AWS that succeeds.
    gone = frozenset({NOT_FOUND, "InvalidNetworkInterfaceID.NotFound"})
    in_use = frozenset({"IncorrectInstanceState"})
    iam_actions = (
        "ec2:RunInstances",
        "ec2:CreateTags",
        *instance_leftovers.IAM_ACTIONS,
        "ec2:DescribeInstances",
        "ec2:DescribeImages",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:GetConsoleOutput",
        "ec2:TerminateInstances",
        "ssm:GetParameter",
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    )
    implied_actions = (
        ("RunInstances", "iam:PassRole"),
        ("RunInstances", "ec2:CreateTags"),
        ("RunInstances", "iam:CreateServiceLinkedRole"),
        ("RunInstances", "kms:CreateGrant"),
    )
    remedies = instance_remedies.REMEDIES
    archives_console = True
    companions = ("network_interface", "spot_request", "volume")
    asks_aws_for_request = True

    def request(self, cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return instance_request.resolve(cloud, inputs)

    def without(
        self, inputs: Mapping[str, Any], missing: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str] | None:
        return instance_request.without(inputs, missing)

    def candidates(self, request: Mapping[str, Any]) -> int:
        return len(request["candidates"])

    def candidate_name(self, request: Mapping[str, Any], candidate: int) -> str:
        """Such as `t3.medium, us-east-1a, spot`."""
        one = instance_request.candidate_of(request, candidate)
        return ", ".join(str(one[name]) for name in ("type", "zone", "market") if one.get(name))

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return _list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change("ec2", "run_instances", **instance_request.run_parameters(target))
        instances = part(reply, "Instances", operation="RunInstances")
        part(instances[0], "InstanceId", operation="RunInstances")
        return _observation(cloud, instances[0], target)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        try:
            reply = cloud.read("ec2", "describe_instances", InstanceIds=[target.aws_id or ""])
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        shown = [one for held in reply.get("Reservations") or () for one in held.get("Instances") or ()]
        instance = next((one for one in shown if one.get("InstanceId") == target.aws_id), None)
        if instance is None:
            return ABSENT
        wants_public = bool(target.request.get("associate_public_ip"))
        observation = _observation(
            cloud, instance, target, may_wait=wants_public and _just_launched(instance, reply)
        )
        return replace(observation, problem=_with_spot_status(cloud, instance, observation.problem))

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "terminate_instances", InstanceIds=[observation.aws_id])

    def left_behind(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """Elastic IP addresses on it, and snapshots of its volumes, that its deployment did not make."""
        return list(instance_leftovers.of_instance(cloud, target, ours))

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation for observation in _list(cloud, tag_filters(tags)) if carries(observation.tags, tags)
        ]

    def price(self, request: Mapping[str, Any], candidate: int) -> Price:
        return instance_price.of_instance(request, candidate)

    def fields(self, aws_id: str | None, request: Mapping[str, Any], candidate: int) -> dict[str, str]:
        """The fields of the candidate: type, zone, subnet, market and AMI."""
        own = super().fields(aws_id, request, candidate)
        return {**own, **instance_request.fields(request, candidate)}

    def console(self, cloud: Cloud, target: Target) -> str:
        """The last part of the instance's console output."""
        return console_output(cloud, target.aws_id or "")[-CONSOLE_LIMIT_CHARACTERS:]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"InstanceDetails:instanceId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [
                aws("ec2", "describe-instances", "--instance-ids", aws_id),
                aws("ec2", "get-console-output", "--instance-id", aws_id, "--output", "text"),
            ],
            "delete": [
                aws("ec2", "terminate-instances", "--instance-ids", aws_id),
                aws("ec2", "wait", "instance-terminated", "--instance-ids", aws_id),
            ],
        }

    def recipe(self, target: Target) -> Recipe:
        standing = "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped"
        return Recipe(
            find=find_line("describe-instances", "Reservations[].Instances", "InstanceId", target, standing),
            keep='aws ec2 get-console-output --instance-id "$id" --query Output --output text',
            delete='aws ec2 terminate-instances --instance-ids "$id"',
            wait='aws ec2 wait instance-terminated --instance-ids "$id"',
            lingers=True,
        )


def _list(cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
    """Every instance that matches, including terminated ones as long as AWS shows them (about an hour)."""
    held = list(cloud.pages("ec2", "describe_instances", "Reservations", Filters=filters))
    shown = [one for reservation in held for one in reservation.get("Instances") or ()]
    return [_observation(cloud, one) for one in shown if one.get("InstanceId")]


def _observation(
    cloud: Cloud, instance: Mapping[str, Any], target: Target | None = None, *, may_wait: bool = False
) -> Observation:
    """The observation of an instance; with `may_wait`, a requested public address may still be missing."""
    state = (instance.get("State") or {}).get("Name") or "pending"
    presence = PRESENCES.get(state, Presence.PENDING)
    private_ip, public_ip = instance.get("PrivateIpAddress"), instance.get("PublicIpAddress")
    if presence is Presence.READY and (not private_ip or (may_wait and not public_ip)):
        presence = Presence.PENDING
    spot = instance.get("InstanceLifecycle") == "spot"
    return Observation(
        presence,
        aws_id=instance["InstanceId"],
        arn=arn(cloud, "ec2", f"instance/{instance['InstanceId']}"),
        tags=tag_dict(instance.get("Tags")),
        facts={
            "public_ip": public_ip,
            "private_ip": private_ip,
            "zone": (instance.get("Placement") or {}).get("AvailabilityZone"),
            "type": instance.get("InstanceType"),
            "market": instance_request.SPOT if spot else instance_request.ON_DEMAND,
            **_reservation(instance),
            **_companions(instance, target),
        },
        key=instance.get("ClientToken") or None,
        made_at=iso_8601(instance.get("LaunchTime")),
        problem=_problem(instance, state, presence),
    )


def _reservation(instance: Mapping[str, Any]) -> dict[str, str]:
    """The fact with the capacity reservation that it runs in, if any."""
    reservation_id = instance.get("CapacityReservationId")
    return {"capacity_reservation_id": str(reservation_id)} if reservation_id else {}


def _companions(instance: Mapping[str, Any], target: Target | None) -> dict[str, Any]:
    """The fact with what the launch made: the volumes, the interface and the spot request. A user may have
    attached other volumes and interfaces.
    """
    if target is None:
        return {}
    devices = instance_request.devices(target.request, target.candidate)
    volumes = (
        (one.get("Ebs") or {}).get("VolumeId")
        for one in instance.get("BlockDeviceMappings") or ()
        if one.get("DeviceName") in devices
    )
    interfaces = (
        one.get("NetworkInterfaceId")
        for one in instance.get("NetworkInterfaces") or ()
        if (one.get("Attachment") or {}).get("DeviceIndex") == 0
    )
    made = {
        "network_interface": interfaces,
        "spot_request": [instance.get("SpotInstanceRequestId")],
        "volume": volumes,
    }
    found = {kind: ids for kind, shown in made.items() if (ids := sorted(filter(None, shown)))}
    return {COMPANIONS: found} if found else {}


def _problem(instance: Mapping[str, Any], state: str, presence: Presence) -> Problem | None:
    """Why it stopped or ended; None while it is alive, and when a user terminated it."""
    if presence in (Presence.PENDING, Presence.READY):
        return None
    reason = instance.get("StateReason") or {}
    code = str(reason.get("Code") or "")
    if presence is not Presence.BROKEN and code in ("", TERMINATED_BY_HAND):
        return None
    said = reason.get("Message") or instance.get("StateTransitionReason") or "AWS gives no reason"
    message = f"The instance {instance['InstanceId']} is {state}: {said}"
    return Problem(code or f"InstanceState.{state}", message, operation="DescribeInstances")


def _with_spot_status(cloud: Cloud, instance: Mapping[str, Any], problem: Problem | None) -> Problem | None:
    """The reason, with the status of the spot request, such as `instance-terminated-no-capacity`.

    The status only adds to the message: when the request cannot be read, the reason is unchanged. Source: EC2
    user guide, "Spot Instance request status codes".
    """
    request_id = instance.get("SpotInstanceRequestId")
    if problem is None or not request_id:
        return problem
    try:
        reply = cloud.read("ec2", "describe_spot_instance_requests", SpotInstanceRequestIds=[request_id])
    except CallError:
        return problem
    shown = reply.get("SpotInstanceRequests") or ()
    status = next((one.get("Status") or {} for one in shown), {})
    if not status.get("Code"):
        return problem
    said = f"{problem.message} (spot request {request_id} is {status['Code']}: {status.get('Message', '')})"
    return replace(problem, message=said)


def _just_launched(instance: Mapping[str, Any], reply: Mapping[str, Any]) -> bool:
    """Whether it was launched moments before the reply; both times come from the endpoint's clock."""
    launched = instance.get("LaunchTime")
    said = ((reply.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}).get("date")
    if not isinstance(launched, datetime) or not said:
        return False
    try:
        age_seconds = (parsedate_to_datetime(said) - launched).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return False
    return age_seconds < PUBLIC_ADDRESS_GRACE_SECONDS
