"""Puts the parts together: the database, the AWS of a deployment, the kinds, and the engine on them.

Owns how an engine for real is composed; it drives nothing and speaks to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tier1_engine.compose.place import lend_credentials, session
from tier1_engine.compose.plugins import Tell, registry
from tier1_engine.settings import Settings, database_url

if TYPE_CHECKING:
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment
    from tier1_engine.engine.equipment import Equipment, Observer
    from tier1_engine.store.store import Store


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The database that `TIER1_DATABASE_URL` names, for the length of a command."""
    from tier1_engine.store.store import Store

    store = Store.open(database_url(), lease_seconds=settings.lease_seconds)
    try:
        yield store
    finally:
        store.close()


def equipment(
    store: Store, place: Place | Deployment, settings: Settings, observer: Observer, tell: Tell
) -> Equipment:
    """An engine for one deployment, on the AWS that it remembers. `tell` gets warnings about plug-ins."""
    from tier1_engine.clock import SystemClock
    from tier1_engine.engine.equipment import Equipment
    from tier1_engine.engine.pool import ThreadPool

    lend_credentials(place.endpoint, place.profile)
    clock = SystemClock()
    return Equipment(
        store=store,
        registry=registry(tell),
        settings=settings,
        clock=clock,
        cloud=session(place, settings).cloud,
        pool=lambda: ThreadPool(clock),
        observer=observer,
    )
