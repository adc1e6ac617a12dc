"""A sweep under AWS's real throttling deletes everything that is marked and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.sweep_sandbox import THROTTLED, Stage, plant
from tests.support.account import client
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.process.remote import census as things

DEPLOYMENTS, KEPT = 3, "load-0"
Pair = tuple[str, str]
"""A kind and an id, because a role and its instance profile share a name."""


def standing(stage: Stage) -> dict[Pair, Thing]:
    """Everything that exists, read without passing the token buckets."""
    return {(one.kind.replace(" ", "_"), one.id): one for one in things(stage.state) if not one.default}


def made_by_hand(endpoint: str, **tags: str) -> str:
    ec2 = client("ec2", endpoint)
    made: str = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    named = [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]
    if named:
        ec2.create_tags(Resources=[made], Tags=named)
    return made


@pytest.mark.long
@pytest.mark.slow
def test_a_throttled_sweep_deletes_what_it_marked_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buckets refuse reads and deletions again and again; the summary says that all were deleted."""
    stage = Stage(tmp_path)
    with monkeypatch.context() as environment, stage.sandbox() as endpoint:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "load")
        plant(stage, endpoint, DEPLOYMENTS)
        stage.run(endpoint, "keep", KEPT, ends=0)
        users = made_by_hand(endpoint)
        theirs = made_by_hand(endpoint, **{TAG_DATABASE: "other", TAG_DEPLOYMENT: "f", TAG_RESOURCE: "r"})
        stage.tighten()
        before, calls = standing(stage), len(stage.calls())
        sweep = ("sweep", "--older-than", "0s", "--orphans", "--yes", "--max-deletions", "1000")
        found = stage.tier1(endpoint, *sweep, ends=0)
        after, made = standing(stage), stage.calls(calls)
    refused = Counter(call["operation"] for call in made if call["code"] in THROTTLED)
    assert sum(n for name, n in refused.items() if name.startswith("Delete")) > DEPLOYMENTS, refused
    assert sum(n for name, n in refused.items() if name.startswith(("Describe", "Get", "List"))), refused
    marked = {(item["kind"], item["aws_id"]) for item in found["items"]}
    gone = before.keys() - after.keys()
    # An interface, a volume and a VPC's default group each go with their owner.
    assert {pair for pair in gone if before[pair].part_of is None} == marked
    assert {before[pair].part_of for pair in gone - marked} <= {id for _, id in marked}
    assert {item["owner"]["name"] for item in found["items"]} == {"load", "load-1"}
    assert {("vpc", users), ("vpc", theirs)} <= after.keys()
    assert (found["deleted"], found["skipped"], found["remained"]) == (len(marked), 0, 0)
    assert found["reported"] == 3  # what is protected, its duplicate, and what belongs to another database
