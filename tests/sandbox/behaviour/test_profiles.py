"""EC2 takes an instance profile some seconds after IAM shows it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.young_account import Stage, code_of
from tier1_engine.sandbox.behaviour.figures import FIGURES


def attempt(stage: Stage, place: str, profile: dict[str, str]) -> str:
    """The message of a launch's refusal; empty when it is none."""
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
    """In AWS's words, for as long as its figure says, counted from when its role came in."""
    name = stage.profile()
    assert stage.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    said = (
        f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    )
    assert attempt(stage, place, {"Name": name}) == said
    took = stage.until(lambda: not attempt(stage, place, {"Name": name}))
    assert FIGURES["profile.usable"].least <= took <= FIGURES["profile.usable"].most + 1


def test_one_that_is_named_by_its_arn_is_treated_alike(stage: Stage, place: str) -> None:
    """Young, and later taken."""
    arn = stage.iam.get_instance_profile(InstanceProfileName=stage.profile())["InstanceProfile"]["Arn"]
    assert "iamInstanceProfile.arn" in attempt(stage, place, {"Arn": arn})
    stage.clock.turn(FIGURES["profile.usable"].most)
    assert attempt(stage, place, {"Arn": arn}) == ""


def test_one_that_does_not_exist_is_invalid_for_good(stage: Stage, place: str) -> None:
    """With the code of EC2, not of IAM."""
    assert "Invalid IAM Instance Profile name" in attempt(stage, place, {"Name": "nobody"})


def test_one_without_a_role_is_refused(stage: Stage, place: str) -> None:
    """However old it is."""
    stage.iam.create_instance_profile(InstanceProfileName="empty")
    stage.clock.turn(FIGURES["profile.usable"].most)
    assert "has no associated IAM Roles" in attempt(stage, place, {"Name": "empty"})
