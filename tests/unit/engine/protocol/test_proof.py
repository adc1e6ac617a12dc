"""Which AWS ids count as the deployment's own: what its creates returned, and what AWS made with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.support.rows import deployment, resource, step
from tier1_engine.contract.kind import COMPANIONS, FORMER_COMPANIONS
from tier1_engine.deployment.record import Attempt, Record
from tier1_engine.deployment.states import Action, Outcome
from tier1_engine.engine.protocol.proof import ours


def test_every_id_that_a_create_returned_is_ours_with_what_aws_made_beside_it() -> None:
    """The interface of an earlier instance of the same resource can still be in the subnet."""
    beside = {
        COMPANIONS: {"network_interface": ["eni-2"], "volume": ["vol-2"]},
        FORMER_COMPANIONS: {"volume": ["vol-1"]},
    }
    row = resource("r1", "instance", kind="instance", aws_id="i-2", facts=beside)
    users = replace(row, id="r2", name="subnet", kind="subnet", aws_id="subnet-user", owned=False, facts={})
    first = Attempt(
        id="a1",
        deployment_id="d1",
        step="instance",
        action=Action.CREATE,
        begun_at=datetime(2026, 1, 1, tzinfo=UTC),
        term=1,
        resource_id="r1",
        aws_id="i-1",
        outcome=Outcome.DONE,
    )
    steps = {"instance": step("instance", kind="instance")}
    record = Record(deployment(), steps, {"r1": row, "r2": users}, {"a1": first})
    assert ours(record) == {"i-1", "i-2", "eni-2", "vol-1", "vol-2"}
