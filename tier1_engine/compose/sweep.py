"""Assembles a sweep: what an engine needs in each place, with one session and shared reads per place."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from tier1_engine.clock import SystemClock
from tier1_engine.compose import place, refusals
from tier1_engine.compose.engine import equipment
from tier1_engine.deployment.place import Place
from tier1_engine.engine.equipment import Equipment, Silent, Stop
from tier1_engine.settings import Settings
from tier1_engine.survey.access import Access
from tier1_engine.sweep.sweep import SweepSetup

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.compose.guarded import Tell
    from tier1_engine.contract.kind import Registry
    from tier1_engine.store.store import Store

Connect = Callable[[Place, Settings], "AwsSession"]
DEFAULT_REGION = "us-east-1"


def here(settings: Settings, connect: Connect) -> Place:
    """Return the place that the environment names, for a database without deployments.

    Args:
        connect: returns a session for a place.

    Raises:
        Blocked: there are no usable credentials.
    """
    profile = place.environment_profile()
    endpoint = place.environment_endpoint(profile)
    somewhere = Place("", os.environ.get("AWS_REGION") or DEFAULT_REGION, profile, endpoint)
    account_id, _ = refusals.looking(
        connect(somewhere, settings).identity,
        endpoint=endpoint,
        poll_seconds=settings.poll_seconds,
        sleep=time.sleep,
    )
    return Place(account_id, somewhere.region, profile, endpoint)


def ground(
    store: Store,
    settings: Settings,
    known: Registry,
    stop: Stop,
    sessions: Mapping[Place, AwsSession],
    *,
    tell: Tell,
    warn: Tell,
) -> SweepSetup:
    """Return everything that a sweep needs.

    Args:
        sessions: those that are signed in; any other place gets one when it is first needed.
        known: the installed kinds and checks.
        tell: receives the progress of the sweep, line by line.
        warn: receives warnings about plug-ins.
    """
    from tier1_engine.aws.together import Together

    making = threading.Lock()

    @cache
    def made(where: Place) -> Equipment:
        alone = equipment(store, where, settings, Silent(), warn, sessions.get(where))
        return replace(alone, cloud=Together().cloud(alone.cloud))

    def one_for_each(where: Place) -> Equipment:
        with making:  # one session per place, created by the first thread that needs it
            return made(where)

    return SweepSetup(store, SystemClock(), Access(one_for_each, time.sleep), known, stop, tell)
