"""`tier1 list`: prints all deployments, newest first, once or whenever they change."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import complain, put, put_json
from tier1_engine.clock import SystemClock
from tier1_engine.compose import engine
from tier1_engine.compose.reading import Wanted, brief, costs
from tier1_engine.errors import Interrupted
from tier1_engine.settings import from_environment

if TYPE_CHECKING:
    from tier1_engine.store.store import Store

WATCH_SECONDS = 1.0


def run(wanted: Wanted, output: Output, *, watch: bool = False) -> int:
    """Print the list; return the exit code."""
    with engine.opened_store(from_environment()) as store:
        if watch:
            return _watch(store, wanted, output)
        found = brief(store, wanted)
        if output is Output.JSON:
            put_json(found)
        else:
            put(_table(store, found))
    return 0


def _table(store: Store, found: list[dict[str, Any]]) -> str:
    from tier1_engine.cli.screen.render.listing import listed

    return listed(found, SystemClock().now(), costs(store, found, complain))


def _watch(store: Store, wanted: Wanted, output: Output) -> int:
    """Print the list whenever it changes, until Ctrl-C or until stdout is closed.

    As JSON, each list is one line.
    """
    from tier1_engine.cli.screen.render.base import Screen

    screen, last = Screen(), ""
    try:
        while True:
            found = brief(store, wanted)
            text = json.dumps(found) if output is Output.JSON else _table(store, found)
            if text != last and not (put(text) if output is Output.JSON else screen.show(text)):
                return 0
            last = text
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return Interrupted.exit_code  # Ctrl-C is the normal end of a watch
