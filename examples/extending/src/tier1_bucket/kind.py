"""The kind `s3_bucket`: how an S3 bucket is found, created, described, configured, listed and deleted.

A bucket's only id is its name, so the name makes a create repeatable: it ends with the id of the resource's
row. The tags, set in the same call, prove that the bucket is owned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import aws, carries, partition, proof, tag_dict, tag_list
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, TAG_NAME, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.errors import CallError

NO_BUCKET = "NoSuchBucket"
NO_TAGS = "NoSuchTagSet"
HOME = "us-east-1"
"""The one region that CreateBucket does not take as a location constraint."""
NAMED_BY_US = re.compile(r".+-[0-9a-f]{20}")


class Bucket(Kind):
    """Made by `{versioned}`. It is deleted only while it is empty: what is in it is the user's."""

    name = "s3_bucket"
    title = "S3 bucket"
    already_exists = frozenset({"BucketAlreadyOwnedByYou"})
    gone = frozenset({NO_BUCKET})
    not_visible_yet = frozenset({NO_BUCKET})
    in_use = frozenset()
    iam_actions = (
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:ListAllMyBuckets",
        "s3:PutBucketVersioning",
        "s3:TagResource",
    )

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        observation = _look(cloud, name_of(target))
        return [] if observation is ABSENT else [observation]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        name = name_of(target)
        wanted: dict[str, Any] = {"Tags": tag_list(target.tags)}
        if cloud.region != HOME:
            wanted["LocationConstraint"] = cloud.region
        cloud.change("s3", "create_bucket", Bucket=name, CreateBucketConfiguration=wanted)
        return _observation(cloud, name, target.tags, Presence.PENDING)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        name = target.aws_id or ""
        observation = _look(cloud, name)
        if observation is ABSENT or not target.request.get("versioned"):
            return observation
        try:
            versioning = cloud.read("s3", "get_bucket_versioning", Bucket=name)
        except CallError as error:
            if error.code == NO_BUCKET:
                return ABSENT
            raise
        if versioning.get("Status") == "Enabled":
            return observation
        return _observation(cloud, name, observation.tags, Presence.UNSET, unset=("versioning",))

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        return _look(cloud, target.aws_id or "")

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        if "versioning" in observation.unset:
            enabled = {"Status": "Enabled"}
            cloud.change(
                "s3", "put_bucket_versioning", Bucket=observation.aws_id, VersioningConfiguration=enabled
            )

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("s3", "delete_bucket", Bucket=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return self.list_beyond(cloud, tags, {})

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """The tags of each bucket take a separate call, so recorded buckets are skipped."""
        listed = cloud.pages("s3", "list_buckets", "Buckets", BucketRegion=cloud.region)
        names = [str(bucket["Name"]) for bucket in listed if bucket.get("Name")]
        observations = [
            _look(cloud, name) for name in names if name not in known and NAMED_BY_US.fullmatch(name)
        ]
        return [
            observation
            for observation in observations
            if observation is not ABSENT and carries(observation.tags, tags)
        ]

    def console_url(self, region: str, aws_id: str) -> str:
        return f"https://{region}.console.aws.amazon.com/s3/buckets/{aws_id}?region={region}"

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("s3api", "get-bucket-tagging", "--bucket", aws_id)],
            "delete": [aws("s3api", "delete-bucket", "--bucket", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        query = f"Buckets[?Name=='{name_of(target)}'].Name"
        return Recipe(
            find=aws("s3api", "list-buckets", "--query", query, "--output", "text"),
            evidence=(
                'aws s3api get-bucket-tagging --bucket "$id" --query "TagSet[].[Key,Value]" --output text',
            ),
            proof=proof(target),
            absent=frozenset({NO_BUCKET, NO_TAGS}),
            delete='aws s3api delete-bucket --bucket "$id"',
        )


def name_of(target: Target) -> str:
    """The bucket's name, the same at each attempt: at most 61 of S3's 63 characters."""
    return f"{target.tags[TAG_NAME]}-{target.resource_id}"


def _look(cloud: Cloud, name: str) -> Observation:
    """The bucket and its tags, by one call: what has no tags is there, and shows no proof."""
    try:
        reply = cloud.read("s3", "get_bucket_tagging", Bucket=name)
    except CallError as error:
        if error.code == NO_BUCKET:
            return ABSENT
        if error.code != NO_TAGS:
            raise
        reply = {}
    return _observation(cloud, name, tag_dict(reply.get("TagSet")), Presence.READY)


def _observation(
    cloud: Cloud, name: str, tags: Mapping[str, str], presence: Presence, unset: tuple[str, ...] = ()
) -> Observation:
    arn = f"arn:{partition(cloud.region)}:s3:::{name}"
    return Observation(presence, name, arn=arn, tags=tags, unset=unset)
