"""Throttling: every operation has a token bucket, and some a second one for the resources they request.

Source: "Request throttling for the Amazon EC2 API": per account, region and operation; non-mutating 100
tokens refilled at 20 a second (50 and 10 for the big lists when neither filtered nor paginated), mutating 50
at 5, with a few exceptions; resource tokens of RunInstances 1000 at 2 a second, of TerminateInstances 1000 at
20. EFS, IAM and SSM are throttled too, but AWS publishes no figures for EFS and IAM; the figures here are
conservative estimates, marked as unpublished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal
from tier1_engine.sandbox.world import AwsClock


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size, and its refill in tokens per AWS second."""

    capacity: float
    per_second: float


READING: Final = Rate(100, 20)
READING_ALL: Final = Rate(50, 10)
CHANGING: Final = Rate(50, 5)
OF_ITS_OWN: Final[Mapping[str, Rate]] = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "CreateTags": Rate(100, 10),
    "DeleteTags": Rate(100, 10),
}
RESOURCES: Final[Mapping[str, Rate]] = {
    "RunInstances": Rate(1000, 2),
    "StartInstances": Rate(1000, 2),
    "StopInstances": Rate(1000, 20),
    "TerminateInstances": Rate(1000, 20),
}
BIG_LISTS: Final = frozenset(
    {
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSnapshots",
        "DescribeSpotInstanceRequests",
        "DescribeVolumes",
    }
)
ELSEWHERE: Final[Mapping[str, Rate]] = {
    "efs": Rate(50, 10),  # unpublished
    "iam": Rate(100, 15),  # unpublished
    "ssm": Rate(40, 40),  # "Systems Manager quotas": GetParameter 40 a second
    "s3": Rate(100, 100),  # of buckets unpublished; of objects 3500 a second and prefix
    "sts": Rate(600, 600),  # "IAM and STS quotas": 600 a second
}
CODES: Final = {
    "ec2": "RequestLimitExceeded",
    "efs": "ThrottlingException",
    "iam": "Throttling",
    "s3": "SlowDown",
}


@dataclass(slots=True)
class Bucket:
    """The token bucket of one operation; it starts full."""

    rate: Rate
    tokens: float
    at: float

    def take(self, number: float, now: float) -> bool:
        """Take `number` tokens; take none when there are fewer."""
        self.tokens = min(self.rate.capacity, self.tokens + (now - self.at) * self.rate.per_second)
        self.at = now
        if self.tokens < number:
            return False
        self.tokens -= number
        return True


class Throttling(CallBehaviour):
    """Refuses calls that come too fast on AWS's clock."""

    def __init__(self, clock: AwsClock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def before(self, call: Call) -> Reply | None:
        wanted = resources_of(call)
        if self._take(call, "requests", rate_of(call), 1) and (
            not wanted or self._take(call, "resources", RESOURCES[call.operation], wanted)
        ):
            return None
        return refusal(call, CODES.get(call.service, "ThrottlingException"))

    def _take(self, call: Call, what: str, rate: Rate, number: float) -> bool:
        key = (call.account_id, call.region, call.service, call.operation, what, str(rate.capacity))
        now = self._clock.now()
        bucket = self._buckets.setdefault(key, Bucket(rate, rate.capacity, now))
        return bucket.take(number, now)


def rate_of(call: Call) -> Rate:
    """The rate limit of an operation."""
    if call.service != "ec2":
        return ELSEWHERE[call.service]
    if call.changes:
        return OF_ITS_OWN.get(call.operation, CHANGING)
    everything = call.operation in BIG_LISTS and not call.parameters.keys() - {"DryRun"}
    return READING_ALL if everything else READING


def resources_of(call: Call) -> int:
    """The number of resources that a call requests; 0 where AWS does not count them."""
    if call.service != "ec2" or call.operation not in RESOURCES:
        return 0
    if call.operation == "RunInstances":
        wanted = call.parameters.get("MaxCount", 1)
        return wanted if isinstance(wanted, int) else 1
    ids = call.parameters.get("InstanceIds")
    return len(ids) if isinstance(ids, list) else 1
