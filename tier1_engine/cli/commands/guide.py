"""`tier1 guide`: explains what happened, what is safe, and what to type, from the database alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tier1_engine import guidance
from tier1_engine.cli.options import GuideOutput
from tier1_engine.cli.screen.streams import complain, put, put_json
from tier1_engine.compose import engine, plugins
from tier1_engine.compose.reading import holder
from tier1_engine.guidance import facts as guide_facts
from tier1_engine.masking import masked, masked_text
from tier1_engine.settings import from_environment
from tier1_engine.store import names

if TYPE_CHECKING:
    from tier1_engine.store.store import Store


def run(reference: str, output: GuideOutput) -> int:
    """Print the guide; return the exit code."""
    with engine.opened_store(from_environment()) as store:
        deployment = names.find(store, reference, to_change=False)
        facts = _facts(store, deployment.id)
    if output is GuideOutput.SHELL:
        from tier1_engine.guidance.script import script

        put(script(facts).rstrip("\n"))
        return 0
    found = guidance.guide(facts)
    if output is GuideOutput.JSON:
        put_json(masked(found.as_json()))
    else:
        from tier1_engine.cli.screen.render.guide import guided

        put(masked_text(guided(found)))
    return 0


def _facts(store: Store, deployment_id: str) -> guide_facts.GuideFacts:
    """Return everything that the database knows about a deployment."""
    record = store.load(deployment_id)
    known = plugins.registry(complain)
    archiving = [
        row.id
        for row in record.resources.values()
        if row.kind in known.kinds and known.kinds[row.kind].archives_console
    ]
    texts = {id: store.console(deployment_id, id) for id in archiving}
    return guide_facts.GuideFacts(
        record=record,
        database_id=store.database_id,
        kinds=known.kinds,
        checks=known.checks,
        consoles={id: text for id, text in texts.items() if text is not None},
        driven_by=holder(store, deployment_id),
    )
