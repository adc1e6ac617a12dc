"""Assembles a local AWS in this process: moto, patched, and the layer with all behaviours around it.

Owns the parts and their order. It serves nothing: `serve` puts the application behind a socket, and a test
calls it with its own clock.
"""

from __future__ import annotations

import gc
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tier1_engine.errors import Refused
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.wire.operations import OWN_SERVICES
from tier1_engine.sandbox.world import AwsClock, Dice, Figure, Speed, World

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from tier1_engine.sandbox.faults.board import Board
    from tier1_engine.sandbox.faults.scenario import Scenario
    from tier1_engine.sandbox.process.late import Schedule

SEED_LIMIT: Final = 2**31


@dataclass(frozen=True, slots=True)
class LocalAws:
    """One local AWS.

    Attributes:
        application: answers its calls.
        world: its clock and random numbers; None without behaviours.
        board: its faults; None without behaviours.
    """

    application: WSGIApplication
    world: World | None = None
    board: Board | None = None


def draw_seed() -> int:
    """A random seed, for when none is given."""
    return secrets.randbelow(SEED_LIMIT)


def new_world(seed: int, speed: Speed = Speed.MAX, source: Callable[[], float] = time.monotonic) -> World:
    """A world without failures.

    Args:
        source: returns real seconds.
    """
    return World(AwsClock(speed, source), Dice(seed), FIGURES)


def plain(seed: int) -> LocalAws:
    """Unmodified moto, with the images of all regions; its ids are drawn from the seed."""
    return LocalAws(_moto(seed))


def strict(
    world: World,
    *,
    record: Path | None = None,
    objects: bool = True,
    schedule: Schedule | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> LocalAws:
    """moto with AWS's behaviour.

    Args:
        record: the file in which every call is recorded.
        objects: install the object behaviours in moto, too. They stay in this process until they are removed.
        schedule: runs late executions; None for a timer.
        wait: sleeps for real seconds.
    """
    application = _moto(world.dice.seed)
    from tier1_engine.sandbox.behaviour.calls import chain
    from tier1_engine.sandbox.faults.board import Board
    from tier1_engine.sandbox.process.late import Late, by_timer
    from tier1_engine.sandbox.process.layer import Layer
    from tier1_engine.sandbox.process.recorder import Recorder

    board = Board(world.dice)
    late = Late(world, schedule or by_timer)
    recorder = Recorder(record) if record else None
    if objects:
        from tier1_engine.sandbox.behaviour.objects import install

        install(world)
    layer = Layer(application, world, chain(world), board, late, recorder, wait)
    return LocalAws(layer, world, board)


def play(aws: LocalAws, scenario: Scenario) -> None:
    """Start a scenario: add its faults, and apply its figures and failures from now on.

    Raises:
        Refused: it names an unknown figure, or a fault is invalid.
    """
    assert aws.world is not None
    assert aws.board is not None
    unknown = sorted(set(scenario.takes) - set(aws.world.figures))
    if unknown:
        raise Refused(
            f"The scenario {scenario.name} sets {unknown[0]}, which is not a figure of the sandbox."
        )
    source = f"scenario {scenario.name}"
    with aws.world.lock:
        for fault in scenario.faults:
            aws.board.add(fault)
        taken = {name: Figure(seconds, seconds, seconds, source) for name, seconds in scenario.takes.items()}
        aws.world.figures = {**aws.world.figures, **taken}
        aws.world.wrong = {**aws.world.wrong, **scenario.wrong}
        aws.world.by_hand = (*aws.world.by_hand, *scenario.by_hand)


@cache
def _moto(seed: int) -> WSGIApplication:
    """moto, with ids drawn from the seed. There is one per process, because its state is in module
    variables.
    """
    # The role has an AWS managed policy, which moto knows only when configured to load them.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    try:
        from moto.moto_api._internal import mock_random
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    except ModuleNotFoundError as error:
        raise Refused(
            "The sandbox needs moto: install it with `pip install 'tier1-engine[sandbox]'`."
        ) from error
    from tier1_engine.sandbox.process import region

    region.patch_moto()
    mock_random.seed(seed)  # before a region is created, which starts with a default VPC
    aws: Any = DomainDispatcherApplication(create_backend_app)
    # What is loaded here stays until the end: garbage collection of it takes a third of the start time.
    gc.disable()
    for service in OWN_SERVICES:
        aws.app_instances[service] = create_backend_app(service)
    gc.freeze()
    gc.enable()
    application: WSGIApplication = aws
    return application
