"""The state that all behaviours of the local AWS share: its clock, its random numbers, and its failures.

Owns time and chance. A behaviour asks the world when something happens, and never reads a clock or draws a
number itself, so the same seed and the same calls give the same answers and the same delays.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Speed(StrEnum):
    """How fast AWS's time passes, as `sandbox start --speed` names it."""

    REAL = "1"
    TEN = "10"
    HUNDRED = "100"
    MAX = "max"

    @property
    def factor(self) -> float:
        """AWS seconds per real second."""
        return MAX_FACTOR if self is Speed.MAX else float(self.value)


MAX_FACTOR: Final = 1000.0
"""At `max`, a mount target that takes twelve minutes is available in under a second."""


class AwsClock:
    """AWS's time: seconds since the sandbox began, `speed.factor` times as fast as real time."""

    def __init__(self, speed: Speed, source: Callable[[], float] = time.monotonic) -> None:
        self._factor = speed.factor
        self._source = source
        self._began = source()

    def now(self) -> float:
        """AWS seconds since the beginning."""
        return (self._source() - self._began) * self._factor

    def ours(self, aws_seconds: float) -> float:
        """Converts AWS seconds into real seconds."""
        return aws_seconds / self._factor


@dataclass(frozen=True, slots=True)
class Figure:
    """How long something takes on AWS, in AWS seconds.

    Attributes:
        least, usual, most: the bounds and the mode of a triangular distribution.
        source: where the numbers come from.
    """

    least: float
    usual: float
    most: float
    source: str


class Dice:
    """Random numbers from a seed: the n-th draw of a name is the same in every run, independent of other
    draws.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: Counter[str] = Counter()
        self._lock = threading.Lock()

    def unit(self, name: str) -> float:
        """A number in [0, 1), for the next draw of `name`."""
        with self._lock:
            number = self._drawn[name]
            self._drawn[name] += 1
        return self._random(name, number).random()

    def seconds(self, name: str, figure: Figure) -> float:
        """AWS seconds around `figure`, for the next draw of `name`."""
        with self._lock:
            number = self._drawn[name]
            self._drawn[name] += 1
        return self._random(name, number).triangular(figure.least, figure.most, figure.usual)

    def _random(self, name: str, number: int) -> random.Random:
        text = f"{self.seed}/{name}/{number}".encode()
        return random.Random(hashlib.sha256(text).digest())  # noqa: S311 - rehearsals, no secrets


@dataclass
class World:
    """The state that the behaviours of one sandbox share.

    Attributes:
        lock: held while one call is answered, so that moto's objects and tier1's change one call at a time.
        figures: how long things take, by name (`vpc.create`); a scenario replaces some of them.
        wrong: failures of instances and services, by name; empty without failures. `mount` and `user_data`
            are `fails` (or `fails:CODE`), `service` is `never` or `flaps`, `instance` is `dies:CODE` with its
            state reason code.
        by_hand: manual changes during the deployment.
        any_ami: an image that is not known is accepted, and shown as a stand-in.
        on_call: called, under the lock, before a call is answered, to run due events.
        on_reset: called, under the lock, when the account is emptied (`POST /moto-api/reset`); a behaviour
            that remembers objects clears them here.
    """

    clock: AwsClock
    dice: Dice
    figures: Mapping[str, Figure]
    wrong: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[ManualChange, ...] = ()
    any_ami: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    on_call: list[Callable[[], None]] = field(default_factory=list)
    on_reset: list[Callable[[], None]] = field(default_factory=list)

    def takes(self, name: str) -> float:
        """AWS seconds that the next `name` takes.

        Raises:
            KeyError: there is no figure of this name.
        """
        return self.dice.seconds(name, self.figures[name])


class ManualAction(StrEnum):
    """A manual change. Each affects the newest such object of a deployment in the region."""

    TERMINATE_INSTANCE = "TerminateInstances"
    DELETE_MOUNT_TARGET = "DeleteMountTarget"
    DELETE_FILE_SYSTEM = "DeleteFileSystem"


@dataclass(frozen=True, slots=True)
class ManualChange:
    """A manual change by someone else.

    Attributes:
        after: the operation after which it happens: when AWS has acted, before it answers.
        do: the change.
        seen: the number of successful calls to wait for; it happens once.
    """

    after: str
    do: ManualAction
    seen: int = 1
