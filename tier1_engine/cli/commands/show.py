"""`tier1 show`: prints one deployment, once or for as long as it is running."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import complain, put, put_json, say
from tier1_engine.clock import SystemClock
from tier1_engine.compose import engine, plugins
from tier1_engine.compose.reading import whole
from tier1_engine.deployment.states import State
from tier1_engine.errors import Refused
from tier1_engine.settings import from_environment
from tier1_engine.store import names

if TYPE_CHECKING:
    from tier1_engine.contract.kind import Registry
    from tier1_engine.store.store import Store

WATCH_SECONDS = 1.0


def spec(reference: str) -> int:
    """Print the spec as it was run, as YAML with secrets masked; return the exit code."""
    from tier1_engine.cli.commands.spec_text import as_yaml

    with engine.opened_store(from_environment()) as store:
        deployment = names.find(store, reference, to_change=False)
    text, hidden = as_yaml(deployment, _durations(deployment.blueprint))
    put(text.rstrip())
    for what in hidden:
        say(f"tier1: {what}")
    return 0


def _durations(blueprint: str) -> frozenset[tuple[str, ...]]:
    """Return the duration keys of a blueprint's spec; if it is not installed, those of every spec."""
    from tier1_engine.spec.base import BaseSpec
    from tier1_engine.spec.part import durations_of

    try:
        model: type[BaseSpec] = plugins.blueprint(blueprint).spec_model
    except Refused as refused:
        complain(f"{refused} Its durations are shown as numbers of seconds.")
        model = BaseSpec
    return frozenset(durations_of(model))


def run(reference: str, *, watch: bool, output: Output) -> int:
    """Print the deployment; return the exit code."""
    with engine.opened_store(from_environment()) as store:
        deployment = names.find(store, reference, to_change=False)
        known = plugins.registry(complain)
        found = whole(store, deployment.id, known)
        if not watch:
            _print(store, found, output, known)
        else:
            _watch(store, deployment.id, known, output, found)
    return 0


def _print(store: Store, found: dict[str, Any], output: Output, known: Registry) -> None:
    if output is Output.JSON:
        put_json(found)
    else:
        put(_tree(store, found, known))


def _tree(store: Store, found: dict[str, Any], known: Registry) -> str:
    from tier1_engine.cli.screen import closing
    from tier1_engine.cli.screen.render.tree import shown
    from tier1_engine.views.prices import Prices

    failed = found["state"] == State.FAILED.value
    notes = closing.notes(store.load(found["id"]), Prices(known.kinds)) if failed else []
    return shown(found, SystemClock().now(), notes)


def _watch(store: Store, id: str, known: Registry, output: Output, found: dict[str, Any]) -> None:
    """Print the deployment whenever it changes, until it is no longer running. JSON is one line each time."""
    from tier1_engine.cli.screen.render.base import Screen

    screen = Screen()
    last: dict[str, Any] | None = None
    while True:
        if _without_lease(found) != last:
            last = _without_lease(found)
            if not (
                put(json.dumps(found)) if output is Output.JSON else screen.show(_tree(store, found, known))
            ):
                return
        if found["holder"] is None:
            return
        time.sleep(WATCH_SECONDS)
        found = whole(store, id, known)


def _without_lease(found: dict[str, Any]) -> dict[str, Any]:
    """Remove what changes with every lease renewal: that is not a change worth printing."""
    return {name: value for name, value in found.items() if name not in ("holder", "updated_at")}
