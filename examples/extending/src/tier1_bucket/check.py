"""The check `bucket_answers`: whether a bucket answers to who deployed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Check, Observation, Presence, Problem
from tier1_engine.errors import CallError

NOT_YET = frozenset({"NoSuchBucket"})


class BucketAnswers(Check):
    """Passes once S3 returns the location of the bucket `{bucket}`."""

    name = "bucket_answers"
    title = "bucket answers"
    iam_actions = ("s3:GetBucketLocation",)

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        try:
            cloud.read("s3", "get_bucket_location", Bucket=inputs["bucket"])
        except CallError as error:
            if error.code not in NOT_YET:
                raise
            problem = Problem(error.code, error.message, error.operation, error.request_id)
            return Observation(Presence.PENDING, problem=problem)
        return Observation(Presence.READY)
