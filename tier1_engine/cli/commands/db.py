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
    from tier1_engine.deployment.record import Resource
    from tier1_engine.store.store import Store

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
    """Let this copy or backup continue all deployments; return the exit code.

    Raises:
        Refused: nobody confirmed it.
        Blocked: AWS could not be read in one of their places.
    """
    from tier1_engine.engine.equipment import Silent
    from tier1_engine.survey.adoption import adopt

    settings = from_environment()
    with compose.opened_store(settings) as store:
        living = [s.deployment for s in store.summaries() if s.deployment.state not in ENDED]
        if not yes:
            _confirm_copy(database.describe(store.engine), [deployment.name for deployment in living])
        for deployment in living:
            aws = signed_in(deployment, settings)
            equipment = compose.equipment(store, deployment, settings, Silent(), complain, aws)
            found = adopt(equipment, compose.witness(store), deployment.id)
            put(f"{deployment.name} ({deployment.id}): {_adopted(found.rows)}")
            if found.unclear:
                put(
                    f"{', '.join(found.unclear)} have the tags of one resource, and tier1 made at most one "
                    "of them: remove the tags from what is not tier1's, then run this again. Until then "
                    f"nothing of {deployment.name} is changed."
                )
            if found.strange:
                put(
                    f"{', '.join(found.strange)} have the tags of {deployment.name}, but are not what it "
                    "creates, or not where: remove the tags from what is not tier1's, delete what is, then "
                    f"run this again. Until then nothing of {deployment.name} is changed."
                )
        if not living:
            put("There is no deployment to continue.")
    return 0


def _confirm_copy(what: str, names: list[str]) -> None:
    if not interactive():
        raise Refused(
            "Nothing was changed: confirm with --yes that no other copy of this database is in use."
        )
    say(f"{what} continues: {', '.join(names) or 'no deployment'}. No other copy of it may be used any more.")
    if not confirm("Continue?"):
        raise Refused("Nothing was changed.")


def _adopted(rows: Sequence[Resource]) -> str:
    if not rows:
        return "continues; everything that AWS has of it is on record"
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
