"""EC2 takes an instance profile some seconds after IAM shows it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.young_account import Stage, code_of
from tier1_engine.sandbox.behaviour.figures import FIGURES


def attempt(stage: Stage, place: str, profile: dict[str, str]) -> str:
    """Return the message with which a launch is refused; empty if it is not."""
    try:
        stage.launch(place, IamInstanceProfile=profile)
    except ClientError as error:
        if code_of(error) != "InvalidParameterValue":
            raise
        return error.response["Error"]["Message"]
    return ""


@pytest.fixture(scope="module")
def place(_stage: Stage) -> str:
    return _stage.subnet(_stage.vpc())


def test_a_young_profile_is_invalid_to_ec2(stage: Stage, place: str) -> None:
    """EC2 refuses it in AWS's words for as long as its figure says, from when its role was added."""
    name = stage.profile()
    assert stage.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    said = (
        f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    )
    assert attempt(stage, place, {"Name": name}) == said
    took = stage.until(lambda: not attempt(stage, place, {"Name": name}))
    assert FIGURES["profile.usable"].least <= took <= FIGURES["profile.usable"].most + 1


def test_a_profile_named_by_its_arn_is_treated_the_same(stage: Stage, place: str) -> None:
    """EC2 refuses it while it is young, and accepts it later."""
    arn = stage.iam.get_instance_profile(InstanceProfileName=stage.profile())["InstanceProfile"]["Arn"]
    assert "iamInstanceProfile.arn" in attempt(stage, place, {"Arn": arn})
    stage.clock.turn(FIGURES["profile.usable"].most)
    assert attempt(stage, place, {"Arn": arn}) == ""


def test_a_missing_profile_is_always_invalid(stage: Stage, place: str) -> None:
    """The code is EC2's, not IAM's."""
    assert "Invalid IAM Instance Profile name" in attempt(stage, place, {"Name": "nobody"})


def test_a_profile_without_a_role_is_refused(stage: Stage, place: str) -> None:
    """Its age does not matter."""
    stage.iam.create_instance_profile(InstanceProfileName="empty")
    stage.clock.turn(FIGURES["profile.usable"].most)
    assert "has no associated IAM Roles" in attempt(stage, place, {"Name": "empty"})
