"""A stage reused by a test equals what the command would have created, and is used only if it does."""

from __future__ import annotations

import pytest

from tests.support.account import WHOLE, client, standing
from tests.support.command import Command
from tests.support.environment import on_plain_moto
from tests.support.stages import Stages

pytestmark = pytest.mark.skipif(on_plain_moto(), reason="a plain local AWS has no stages")


@pytest.mark.parametrize("time", [pytest.param("made", marks=pytest.mark.long), "put in place"])
def test_a_stage_has_the_stack_and_its_rows(tier1: Command, stages: Stages, aws: str, time: str) -> None:
    """The next command can take both down, and the account is empty for the next test."""
    assert standing(aws) == {}
    id = tier1.deployed("stage")
    known = len(stages.known)
    assert standing(aws) == WHOLE
    assert tier1.show("stage")["id"] == id
    assert tier1("destroy", "stage", "--yes").code == 0
    assert standing(aws) == {}
    assert len(stages.known) == known


@pytest.mark.long
def test_another_account_or_database_runs_the_command(tier1: Command, stages: Stages, aws: str) -> None:
    """A user's resource or an existing row makes a different stage."""
    tier1.deployed("first")
    before = len(stages.known)
    client("ec2", aws).create_vpc(CidrBlock="10.99.0.0/16")
    tier1.deployed("second")
    tier1.write("aaaa00000001", "third")
    tier1.deployed("fourth")
    assert len(stages.known) == before + 2
