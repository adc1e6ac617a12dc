"""The blueprint `bucket`: the keys of its spec, and the steps that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tier1_engine.contract.blueprint import Blueprint
from tier1_engine.contract.cloud import Cloud
from tier1_engine.deployment.plan import StepPlan, ref
from tier1_engine.deployment.states import FailureClass, Mode, Phase
from tier1_engine.spec.base import BaseSpec
from tier1_engine.spec.part import Part, Seconds


class BucketPart(Part):
    """What a user may ask for of the bucket."""

    versioned: bool = False
    ready_within: Seconds = 60.0


class BucketSpec(BaseSpec):
    """The keys of every spec, and the bucket."""

    bucket: BucketPart = Field(default_factory=BucketPart)


class BucketBlueprint(Blueprint[BucketSpec]):
    """One bucket, which must answer before the deployment is active."""

    name = "bucket"
    spec_model = BucketSpec

    def survey(self, cloud: Cloud, spec: BucketSpec) -> dict[str, Any]:
        """Ask S3 once: credentials that may not use it are refused before anything is made."""
        cloud.read("s3", "list_buckets", MaxBuckets=1)
        return {}

    def steps(self, spec: BucketSpec, survey: Mapping[str, Any] | None) -> Sequence[StepPlan]:
        wanted = spec.bucket
        return (
            StepPlan(
                "bucket",
                Phase.NETWORK,  # the foundation phase; buckets have no phase of their own
                "s3_bucket",
                inputs={"versioned": wanted.versioned},
                deadline_seconds=wanted.ready_within,
            ),
            StepPlan(
                "answers",
                Phase.HEALTH,
                "bucket_answers",
                Mode.CHECK,
                needs=("bucket",),
                inputs={"bucket": ref("bucket")},
                deadline_seconds=wanted.ready_within,
                on_failure=FailureClass.RECOVERABLE,
            ),
        )

    def outputs(self, spec: BucketSpec) -> Mapping[str, Any]:
        return {"bucket": ref("bucket"), "arn": ref("bucket", "arn")}
