"""What AWS made together with a resource is an orphan only once that resource is deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.rows import deployment, resource, step
from tier1_engine.contract.kind import (
    COMPANIONS,
    FORMER_COMPANIONS,
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Observation,
    Presence,
)
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.record import Record, Resource
from tier1_engine.deployment.states import ResourceState, StepState
from tier1_engine.engine.protocol.case import known_facts
from tier1_engine.engine.protocol.duplicates import proved
from tier1_engine.resources.volume import Volume

DATABASE = "d0d0d0d0d0d0"
ROOT = resource(
    "r1",
    "instance",
    kind="instance",
    state=ResourceState.DELETED,
    aws_id="i-1",
    facts={COMPANIONS: {"volume": ["vol-1"]}},
)
PROOFS = (TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE, TAG_NAME)


def proof_of(
    state: ResourceState, aws_id: str = "vol-1", row: Resource = ROOT, **tags: str
) -> dict[str, str]:
    """What a census that lists one unattached volume proves, by AWS id: the names of the rows."""
    row = replace(row, state=state)
    record = Record(deployment(), {"instance": step("instance", kind="instance")}, {row.id: row}, {})
    shown = {tag: target_of(row, record.deployment, DATABASE).tags[tag] for tag in PROOFS} | tags
    seen = Observation(Presence.READY, aws_id, tags=shown)
    return {id: found.name for id, found in proved(record, DATABASE, Volume(), [seen]).items()}


def test_it_is_ours_once_its_resource_is_deleted() -> None:
    """Its id was recorded with the instance, and its tags still say so."""
    assert proof_of(ResourceState.DELETED) == {"vol-1": "instance"}


@pytest.mark.parametrize("state", [one for one in ResourceState if one is not ResourceState.DELETED])
def test_it_is_not_deleted_while_its_resource_stands(state: ResourceState) -> None:
    """Somebody detached it, to look at it elsewhere."""
    assert proof_of(state) == {}


def test_neither_copied_tags_nor_a_reused_id_prove_it() -> None:
    """Both are needed."""
    assert proof_of(ResourceState.DELETED, "vol-2") == {}
    assert proof_of(ResourceState.DELETED, "vol-1", ROOT, **{TAG_RESOURCE: "another"}) == {}


def test_what_the_first_look_showed_is_kept() -> None:
    """Field case: a user restored the root volume from a snapshot, tags included. A destroy then deleted the
    restored one, and left ours behind.
    """
    later = Observation(
        Presence.READY, "i-1", facts={COMPANIONS: {"volume": ["vol-users"]}, "type": "t3.large"}
    )
    record = Record(deployment(), {"instance": step("instance", kind="instance")}, {}, {})
    assert known_facts(record, ROOT, later) == {COMPANIONS: {"volume": ["vol-1"]}, "type": "t3.large"}
    assert known_facts(record, replace(ROOT, facts={}), later)[COMPANIONS] == {"volume": ["vol-users"]}


def test_each_kind_of_companion_is_learned_by_itself_until_it_is_complete() -> None:
    """The reply of a launch names no volume yet. Once complete, an older row learns no spot request."""
    later = Observation(Presence.READY, "i-1", facts={COMPANIONS: {"volume": ["v"], "spot_request": ["s"]}})
    row = replace(ROOT, facts={COMPANIONS: {"spot_request": ["sir-1"]}})
    begun = Record(deployment(), {"instance": step("instance", kind="instance")}, {}, {})
    assert known_facts(begun, row, later)[COMPANIONS] == {"spot_request": ["sir-1"], "volume": ["v"]}
    done = step("instance", kind="instance", state=StepState.DONE)
    older = Record(deployment(), {"instance": done}, {}, {})
    assert known_facts(older, ROOT, later)[COMPANIONS] == {"volume": ["vol-1"]}


@pytest.mark.parametrize("state", list(ResourceState))
def test_what_a_replaced_object_left_is_ours_in_any_state(state: ResourceState) -> None:
    """Its own instance is gone, whatever became of the next one."""
    row = replace(ROOT, facts={FORMER_COMPANIONS: {"volume": ["vol-1"]}})
    assert proof_of(state, row=row) == {"vol-1": "instance"}


def test_what_was_complete_before_companions_were_recorded_learns_none() -> None:
    """Field case: a database of an earlier schema names none. What stands beside the instance when it is
    destroyed may be the user's, with copied tags; it is reported.
    """
    done = step("instance", kind="instance", state=StepState.DONE)
    record = Record(deployment(), {"instance": done}, {}, {})
    later = Observation(
        Presence.READY, "i-1", facts={COMPANIONS: {"volume": ["vol-users"]}, "type": "t3.large"}
    )
    assert known_facts(record, replace(ROOT, facts={}), later) == {"type": "t3.large"}
