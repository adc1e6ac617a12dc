"""`tier1 db`: upgrades or shows the schema, exports the database as JSON, and lets a copy continue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine import masking
from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.sign_in import signed_in
from tier1_engine.cli.screen.streams import complain, confirm, interactive, put, put_json, say
from tier1_engine.compose import engine as compose
from tier1_engine.deployment.states import ENDED
from tier1_engine.errors import Refused
from tier1_engine.settings import database_url, from_environment
from tier1_engine.store import database, schema
from tier1_engine.store.tables import SCHEMA_REVISION
from tier1_engine.views import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tier1_engine.deployment.overview import Summary
    from tier1_engine.deployment.record import Deployment, Resource
    from tier1_engine.engine.equipment import Equipment
    from tier1_engine.store.store import Store
    from tier1_engine.survey.adoption import Adopted
    from tier1_engine.survey.history import Unknown

MAX_SWEEPS = 10_000
"""The most sweeps in an export: enough for decades of nightly sweeps."""


def upgrade() -> int:
    """Upgrade the schema to the revision of this program."""
    engine = database.connect(database_url(), lease_seconds=from_environment().lease_seconds)
    try:
        before = schema.upgrade(engine)
        what = database.describe(engine)
    finally:
        engine.dispose()
    if before == SCHEMA_REVISION:
        put(f"{what} already has schema {SCHEMA_REVISION}.")
    else:
        had = f"had {before}" if before else "was empty"
        put(f"{what} now has schema {SCHEMA_REVISION}; before, it {had}.")
    return 0


def current(output: Output) -> int:
    """Print the schema revision of the database and that of this program."""
    engine = database.connect(database_url(), lease_seconds=from_environment().lease_seconds)
    try:
        # Showing the revision must not create a missing file.
        missing = engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists()
        found = None if missing else schema.revision(engine)
        what = database.describe(engine)
    finally:
        engine.dispose()
    if output is Output.JSON:
        put_json({"found": found, "known": SCHEMA_REVISION})
    else:
        put(f"{what}: schema {found or 'none'}; this program needs {SCHEMA_REVISION}")
    return 0


def export() -> int:
    """Print everything, one deployment after another, with user data and secrets masked."""
    from tier1_engine.cli.commands.sweep import on_record

    with compose.opened_store(from_environment()) as store:
        head = json.dumps({"database_id": store.database_id, "schema": SCHEMA_REVISION})
        put(f'{head[:-1]}, "deployments": [')
        # One at a time, because the database may hold thousands.
        separator = ""
        for summary in store.summaries():
            put(separator + json.dumps(_of_deployment(store, summary)))
            separator = ","
        put(f'], "sweeps": {json.dumps(on_record(store, MAX_SWEEPS))}}}')
    return 0


def adopt_copy(*, yes: bool) -> int:
    """Let this copy or backup continue all deployments; return 0, or 4 if a decision is needed first.

    Raises:
        Refused: nobody confirmed it.
        Blocked: AWS could not be read in one of their places.
    """
    from tier1_engine.engine.equipment import Silent
    from tier1_engine.survey.adoption import adopt, look

    settings = from_environment()
    if not yes and not interactive():
        raise Refused(
            "Nothing was changed: confirm with --yes that no other copy of this database is in use."
        )
    with compose.opened_store(settings) as store:
        living = [s.deployment for s in store.summaries() if s.deployment.state not in ENDED]
        equipments = {
            deployment.id: compose.equipment(
                store, deployment, settings, Silent(), complain, signed_in(deployment, settings)
            )
            for deployment in living
        }
        shown = {deployment.id: look(equipments[deployment.id], deployment.id) for deployment in living}
        told = [_told(deployment, shown[deployment.id], equipments[deployment.id]) for deployment in living]
        for line in told or ["There is no deployment to continue."]:
            put(line)
        if not yes:
            say(f"{database.describe(store.engine)} continues. No other copy of it may be used any more.")
            if not confirm("Continue?"):
                raise Refused("Nothing was changed.")
        for id, equipment in equipments.items():
            adopt(equipment, compose.witness(store), id, shown[id])
        unsettled = any(found.unclear or found.alone or found.strange for found in shown.values())
        return 4 if unsettled else 0


def _told(deployment: Deployment, found: Adopted, equipment: Equipment) -> str:
    """What an adoption records of a deployment, and what keeps it from being changed."""

    def named(those: Sequence[Unknown]) -> str:
        kinds = equipment.registry.kinds
        return ", ".join(sorted(f"{kinds[kind].title} {one.aws_id}" for kind, one in those))

    until = f"then run this again. Until then nothing of {deployment.name} is changed."
    said = [f"{deployment.name} ({deployment.id}): {_adopted(found.rows)}"]
    if found.unclear:
        said.append(
            f"{named(found.unclear)} have the tags of one resource, and tier1 made at most one of them: "
            f"remove the tags from what is not tier1's, {until}"
        )
    if found.alone:
        said.append(
            f"{named(found.alone)}: this has the tags of {deployment.name}, which do not prove by themselves "
            f"that tier1 created it. If it did, delete it, else remove its tags, {until}"
        )
    if found.strange:
        said.append(
            f"{named(found.strange)}: this has the tags of {deployment.name}, but is not what it creates, or "
            f"not where. Remove the tags from what is not tier1's, delete what is, {until}"
        )
    return "\n".join(said)


def _adopted(rows: Sequence[Resource]) -> str:
    if not rows:
        return "continues; nothing that AWS shows of it is to be recorded"
    duplicates, resources = [[r.aws_id or "" for r in rows if r.is_duplicate is one] for one in (True, False)]
    said = ["continues"]
    if resources:
        said.append(f"it did not know {', '.join(resources)}, and continues with them")
    if duplicates:
        said.append(f"duplicates that its next run deletes: {', '.join(duplicates)}")
    return "; ".join(said)


def _of_deployment(store: Store, summary: Summary) -> dict[str, Any]:
    id = summary.deployment.id
    record = store.load(id)
    columns = as_json.of_row(record.deployment)
    columns["tagged_as"] = columns.pop("tags_as_deployed")  # the export's keys stay what they were
    return {
        **columns,
        "steps": [as_json.of_row(step) for step in record.steps.values()],
        "resources": [as_json.of_row(resource) for resource in record.resources.values()],
        "attempts": [as_json.of_row(attempt) for attempt in store.attempts(id)],
        "events": [as_json.of_event(event) for event in store.events(id)],
        "consoles": [
            _of_console(r, text) for r in record.resources if (text := store.console(id, r)) is not None
        ],
    }


def _of_console(resource_id: str, text: str) -> dict[str, Any]:
    """Describe console output by its digest: like user data, it may hold secrets and is never exported."""
    return {"resource_id": resource_id, "characters": len(text), "sha256": masking.digest(text)}
