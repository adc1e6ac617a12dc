"""Assembles the engine of a deployment: the database, its AWS, and the installed kinds.

Owns only the composition; it runs nothing and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tier1_engine.compose.guarded import Tell
from tier1_engine.compose.place import session
from tier1_engine.compose.plugins import registry
from tier1_engine.settings import Settings, database_url, state_directory

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment
    from tier1_engine.engine.equipment import Equipment, Observer
    from tier1_engine.store.store import Store
    from tier1_engine.store.witness import Witness


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Open the database that `TIER1_DATABASE_URL` names, and close it when the command ends."""
    from tier1_engine.store.store import Store

    store = Store.open(database_url(), lease_seconds=settings.lease_seconds)
    try:
        yield store
    finally:
        store.close()


def equipment(
    store: Store,
    place: Place | Deployment,
    settings: Settings,
    observer: Observer,
    tell: Tell,
    aws: AwsSession | None = None,
) -> Equipment:
    """Return what a driver of one deployment needs.

    Args:
        tell: receives warnings about plug-ins.
        aws: the session for that place, if the command already has one.
    """
    from tier1_engine.clock import SystemClock
    from tier1_engine.compose.caller import Caller
    from tier1_engine.engine.equipment import Equipment
    from tier1_engine.engine.pool import ThreadPool
    from tier1_engine.store.holder import this_process
    from tier1_engine.survey.history import History

    clock, aws = SystemClock(), aws or session(place, settings)
    caller = Caller(aws)
    return Equipment(
        store=store,
        registry=registry(tell),
        settings=settings,
        clock=clock,
        cloud=aws.cloud,
        pool=lambda: ThreadPool(clock),
        observer=observer,
        history=History(witness(store)),
        holder=lambda: this_process(caller()),
    )


def witness(store: Store) -> Witness:
    """Return what this host has seen of the deployments of a database."""
    from tier1_engine.store.witness import Witness

    return Witness(state_directory() / "seen" / store.database_id)
