"""Resolves an operator's reference to a deployment: an id, a unique prefix of one, or a name. Only reads."""

from __future__ import annotations

from typing import Any

from tier1_engine.deployment.record import Deployment
from tier1_engine.deployment.states import ENDED
from tier1_engine.errors import NoSuchDeployment, Refused


def find(parts_store: Any, reference: str, *, to_change: bool) -> Deployment:
    """Find a deployment by id, unique prefix of an id, or name.

    A name refers to the existing deployment of that name; if there is none, to the newest.

    Raises:
        NoSuchDeployment: nothing matches.
        Refused: several match, and the command changes something.
    """
    fitting: list[Deployment] = parts_store.matching(reference)
    exact = [d for d in fitting if d.id == reference]
    if exact:
        return exact[0]
    if not fitting:
        raise NoSuchDeployment(f"There is no deployment {reference}: see `tier1 list`.")
    named = [d for d in fitting if d.name == reference]
    living = [d for d in named if d.state not in ENDED]
    prefixed = [d for d in fitting if d.name != reference]
    candidates = (living or named[:1]) + prefixed
    if len(candidates) > 1 and to_change:
        which = ", ".join(f"{d.id} ({d.name}, {d.state})" for d in candidates[:5])
        raise Refused(f"{reference} matches several deployments: {which}. Use the full id of one.")
    return candidates[0]
