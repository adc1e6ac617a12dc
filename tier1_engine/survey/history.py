"""Whether a database knows the whole history of a deployment, before anything is changed on its word.

A copy of a database, or a restored backup, continues from an old state while the stack has moved on: it would
create what exists, and delete what is in use. Two things show that, and neither needs a tag of its own:

- AWS has an object with the tags of this database and deployment, for a resource that has no row. Every
  create is committed before it is sent, so only a later state of this database can have made it. Resource ids
  are random, so nobody has that tag by chance; a copied tag names a resource that has or had an object.
- This host has seen a later revision of the deployment (`store.witness`).

What AWS does not let us list is no evidence. A state that made nothing new and was reached on another host
leaves no trace: `docs/backup.md` says what then holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.contract.kind import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_RESOURCE,
    Observation,
    Presence,
)
from tier1_engine.deployment.record import Deployment, Record
from tier1_engine.deployment.standing import was_never_made
from tier1_engine.deployment.states import ENDED, Mode
from tier1_engine.engine.equipment import Equipment
from tier1_engine.engine.protocol.actions import Census, Failed, Listed
from tier1_engine.engine.protocol.attempt import carry_out
from tier1_engine.errors import CallError, DatabaseBehind
from tier1_engine.store.witness import Witness

MAX_GAPS = 2
"""After so many kinds that cannot be listed, no other is tried: a lease must outlast the time-outs."""
MAX_NAMED = 5
GENERATED_ID = re.compile("[0-9a-f]{20}")
"""What `clock.new_id` returns."""
NOT_THERE = frozenset({Presence.ABSENT, Presence.LEAVING, Presence.GONE})

Unknown = tuple[str, Observation]
"""The name of its kind, and an object that may have no row."""


@dataclass(frozen=True)
class History:
    """Checks each deployment once in a command, and notes how far it came."""

    witness: Witness
    _checked: set[str] = field(default_factory=set)

    def check(self, equipment: Equipment, deployment_id: str) -> None:
        """Check that this database is not older than the deployment.

        Raises:
            DatabaseBehind: it is; nothing was changed.
            NoSuchDeployment: no deployment has this id.
        """
        deployment = equipment.store.load(deployment_id).deployment
        if deployment_id in self._checked or deployment.state in ENDED:
            return
        if (seen := self.witness.revision(deployment_id)) > deployment.revision:
            raise DatabaseBehind(
                f"This host has seen revision {seen} of {deployment.name} ({deployment_id}), and this "
                f"database has {deployment.revision}: {_WHAT_TO_DO}"
            )
        if unknown := unknown_objects(equipment, deployment_id)[0]:
            raise DatabaseBehind(
                f"AWS has resources of {deployment.name} ({deployment_id}) that this database does not know "
                f"({_named(unknown)}): {_WHAT_TO_DO}"
            )
        self._checked.add(deployment_id)

    def note(self, deployment: Deployment) -> None:
        """Note the revision that a run has reached: the next one of this command continues from it."""
        self._checked.add(deployment.id)
        self.witness.note(deployment.id, deployment.revision)


_WHAT_TO_DO = (
    "it is a copy or a backup from an earlier time. Nothing was changed: use the current database, or, if "
    "this one is to replace it, run `tier1 db adopt-copy`."
)


def _named(unknown: Sequence[Unknown]) -> str:
    ids = [seen.aws_id for _, seen in unknown]
    more = [f"and {len(ids) - MAX_NAMED} more"] if len(ids) > MAX_NAMED else []
    return ", ".join(ids[:MAX_NAMED] + more)


def unknown_objects(equipment: Equipment, deployment_id: str) -> tuple[list[Unknown], list[CallError]]:
    """Return what only a later state of this database can have made of a deployment, and what could not be
    listed.
    """
    seen, gaps = all_objects(equipment, deployment_id)
    # Loaded after the lists: what is created meanwhile has its row before AWS shows it.
    known = known_tags(equipment.store.load(deployment_id))
    return [one for one in seen if made_by_a_later_state(one[1], known)], gaps


def known_tags(record: Record) -> set[str]:
    """Return the tags `tier1:resource` that objects made until this state can have.

    A resource of which AWS refused every create has none: a later state that tried again gave its tag to
    the first object.
    """
    rows = (row for row in record.resources.values() if not was_never_made(record, row))
    return {id for row in rows for id in (row.id, row.tagged_as)}


def all_objects(equipment: Equipment, deployment_id: str) -> tuple[list[Unknown], list[CallError]]:
    """Return what AWS shows with the tags of a deployment, by kind, and what could not be listed."""
    store, gaps = equipment.store, list[CallError]()
    tags = {TAG_DATABASE: store.database_id, TAG_DEPLOYMENT: deployment_id}
    creates = {s.kind for s in store.load(deployment_id).steps.values() if s.mode is Mode.CREATE}
    seen: list[Unknown] = []
    for name in sorted(creates & equipment.registry.kinds.keys()):
        census = Census((equipment.registry.kinds[name],), tags, {})
        result = carry_out(census, equipment.cloud(AlwaysPermitted())).result
        match result:
            case Failed(error=error):
                gaps.append(error)
            case Listed():
                seen += result.seen
        if len(gaps) >= MAX_GAPS:
            break
    return seen, gaps


def made_by_a_later_state(observation: Observation, known: set[str]) -> bool:
    """Whether no row can be about it: its tag is an id of ours that none of the `known` is."""
    tag = observation.tags.get(TAG_RESOURCE, "")
    made = GENERATED_ID.fullmatch(tag) is not None and tag not in known
    return made and observation.presence not in NOT_THERE
