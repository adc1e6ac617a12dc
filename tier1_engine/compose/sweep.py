"""Assembles a sweep: what an engine needs in each place, with one session and shared reads per place."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from tier1_engine.clock import SystemClock
from tier1_engine.compose import place, refusals
from tier1_engine.compose.engine import equipment
from tier1_engine.deployment.place import Place
from tier1_engine.engine.equipment import Equipment, Silent, Stop
from tier1_engine.survey.access import Access
from tier1_engine.sweep.sweep import SweepSetup

if TYPE_CHECKING:
    from tier1_engine.compose.guarded import Tell
    from tier1_engine.contract.kind import Registry
    from tier1_engine.settings import Settings
    from tier1_engine.store.store import Store

DEFAULT_REGION = "us-east-1"


def here(settings: Settings) -> Place:
    """Return the place that the environment names, for a database without deployments.

    Raises:
        Blocked: there are no usable credentials.
    """
    profile = place.environment_profile()
    endpoint = place.environment_endpoint(profile)
    somewhere = Place("", os.environ.get("AWS_REGION") or DEFAULT_REGION, profile, endpoint)
    account_id, _ = refusals.looking(
        place.session(somewhere, settings).identity,
        endpoint=endpoint,
        poll_seconds=settings.poll_seconds,
        sleep=time.sleep,
    )
    return Place(account_id, somewhere.region, profile, endpoint)


def ground(
    store: Store, settings: Settings, known: Registry, stop: Stop, *, tell: Tell, warn: Tell
) -> SweepSetup:
    """Return everything that a sweep needs.

    Args:
        known: the installed kinds and checks.
        tell: receives the progress of the sweep, line by line.
        warn: receives warnings about plug-ins.
    """
    from tier1_engine.aws.together import Together

    making = threading.Lock()

    @cache
    def made(where: Place) -> Equipment:
        alone = equipment(store, where, settings, Silent(), warn)
        return replace(alone, cloud=Together().cloud(alone.cloud))

    def one_for_each(where: Place) -> Equipment:
        with making:  # one session per place, created by the first thread that needs it
            return made(where)

    return SweepSetup(store, SystemClock(), Access(one_for_each, time.sleep), known, stop, tell)
