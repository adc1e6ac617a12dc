"""The object behaviours, patched into moto's models in this process.

Owns the order in which they are installed, and their removal. A call to the local AWS is answered with the
world's lock held, after all due events have run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moto.core.responses import BaseResponse
from moto.moto_api._internal.models import MotoAPIBackend

from tier1_engine.sandbox.behaviour import (
    addresses,
    boot,
    commands,
    console,
    file_systems,
    images,
    in_use,
    instance_types,
    instances,
    interfaces,
    memory,
    networks,
    patching,
    profiles,
    service_sockets,
    services,
    spot_requests,
    tags,
    visibility,
)
from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.world import World


def install(world: World) -> None:
    """Install all of them, once per process; `remove` uninstalls them.

    Raises:
        RuntimeError: they are already installed.
    """
    if patching.is_in():
        raise RuntimeError("the behaviours of objects are already patched into this process's moto")
    agenda = Agenda(world.clock)
    # Readers that bypass moto's answers (a quota, the census) must see all due events, too.
    world.on_call.append(agenda.settle)
    patching.at_end(lambda: world.on_call.remove(agenda.settle))
    tags.install()
    memory.install()
    networks.install(world, agenda)
    interfaces.install()
    in_use.install()
    images.install(world)
    instance_types.install()
    lingering = interfaces.Interfaces(world, agenda)
    file_systems.install(world, agenda, lingering)
    public = addresses.install()
    lives = instances.install(world, agenda, lingering)
    spot_requests.install(world, agenda, lives)
    profiles.install(world, agenda)
    boots = boot.install(world, agenda, lives)
    console.install(boots)
    commands.install(world, agenda, lives, boots)
    behind = visibility.install(world, agenda)
    served = services.install(world, agenda, lives, boots)
    sockets = service_sockets.ServiceSockets(world, agenda, served)
    patching.at_end(sockets.close)
    world.on_call.append(agenda.settle)
    _answer_in_turn(world, agenda, sockets.wake)
    _restart_at_reset(
        world,
        [agenda.clear, lives.by_id.clear, boots.by_id.clear, served.by_id.clear, behind, public.clear],
    )
    sockets.start()


def remove() -> None:
    """Restore moto; afterwards no socket listens and no thread runs."""
    patching.take_out()


def _answer_in_turn(world: World, agenda: Agenda, wake: Callable[[], None]) -> None:
    @around(BaseResponse, "call_action")
    def call_action(before: Callable[..., Any], response: Any) -> Any:
        with world.lock:
            agenda.settle()
            answer = before(response)
        wake()
        return answer


def _restart_at_reset(world: World, forget: Sequence[Callable[[], None]]) -> None:
    """`POST /moto-api/reset` empties the account; scheduled events of the old account are dropped."""

    @around(MotoAPIBackend, "reset")
    def reset(before: Callable[..., None], backend: Any) -> None:
        with world.lock:
            for one in forget:
                one()
            before(backend)
