"""All call behaviours, in the order in which AWS applies them.

Owns the order: throttling comes first; a malformed id is never looked up; a dry run ends before anything is
recorded; a client token answers before anything else is judged, and what is invalid never meets a quota.
"""

from __future__ import annotations

from tier1_engine.sandbox.behaviour.buckets import BucketTags
from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.behaviour.dry_run import DryRun
from tier1_engine.sandbox.behaviour.idempotency import ClientTokens, CreationTokens
from tier1_engine.sandbox.behaviour.keys import Keys
from tier1_engine.sandbox.behaviour.launches import Launches
from tier1_engine.sandbox.behaviour.malformed import MalformedIds
from tier1_engine.sandbox.behaviour.manual_changes import ManualChanges
from tier1_engine.sandbox.behaviour.mounts import Mounts
from tier1_engine.sandbox.behaviour.policies import Policies
from tier1_engine.sandbox.behaviour.protection import Protection
from tier1_engine.sandbox.behaviour.quotas import Quotas
from tier1_engine.sandbox.behaviour.registered_images import RegisteredImages
from tier1_engine.sandbox.behaviour.shapes import ErrorShapes
from tier1_engine.sandbox.behaviour.tag_limits import TagLimits
from tier1_engine.sandbox.behaviour.throttling import Throttling
from tier1_engine.sandbox.behaviour.topology import Topology
from tier1_engine.sandbox.world import World


def chain(world: World) -> tuple[CallBehaviour, ...]:
    """The call behaviours of one sandbox."""
    return (
        Throttling(world.clock),
        MalformedIds(),
        TagLimits(),
        DryRun(),
        ClientTokens(),
        CreationTokens(),
        Launches(world),
        RegisteredImages(),
        Protection(),
        Topology(),
        Keys(),
        Mounts(),
        Policies(),
        Quotas(),
        BucketTags(),
        ErrorShapes(),
        ManualChanges(world),
    )
