"""The world that all manners of the local AWS share: its clock, its dice, and what is wrong with it.

Owns time and chance. A manner asks the world when something happens and never reads a clock or draws
a number itself, so the same seed and the same calls give the same answers and the same delays.
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
        """Seconds of AWS in one second of ours."""
        return MAX_FACTOR if self is Speed.MAX else float(self.value)


MAX_FACTOR: Final = 1000.0
"""At `max` a mount target of AWS's slow tail (twelve minutes) is there in under a second."""


class AwsClock:
    """AWS's own time: seconds since the sandbox began, `speed.factor` times as fast as ours."""

    def __init__(self, speed: Speed, source: Callable[[], float] = time.monotonic) -> None:
        self._factor = speed.factor
        self._source = source
        self._began = source()

    def now(self) -> float:
        """AWS seconds since the beginning."""
        return (self._source() - self._began) * self._factor

    def ours(self, aws_seconds: float) -> float:
        """How many seconds of ours so many of AWS's take."""
        return aws_seconds / self._factor


@dataclass(frozen=True, slots=True)
class Figure:
    """How long something takes on AWS, in seconds of AWS.

    Attributes:
        least, usual, most: the ends and the peak of the triangle that is drawn from.
        source: where the numbers come from.
    """

    least: float
    usual: float
    most: float
    source: str


class Dice:
    """Numbers drawn from a seed: the n-th draw of a name is the same in every run, whatever else is drawn."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: Counter[str] = Counter()
        self._lock = threading.Lock()

    def unit(self, name: str) -> float:
        """From 0 up to 1, for the next draw of `name`."""
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
    """What the manners of one sandbox share.

    Attributes:
        lock: held while one call is answered, so that moto's objects and ours change one call at a time.
        figures: how long things take, by name (`vpc.create`); a scenario replaces some of them.
        wrong: what is wrong with instances and services, by name; empty where nothing is. `mount` and
            `user_data` are `fails` (or `fails:CODE`), `service` is `never` or `flaps`, `instance` is
            `dies:CODE` with the code of its state reason.
        by_hand: what somebody else does meanwhile.
        on_call: called, under the lock, before a call is answered: what is due by now happens here.
        on_reset: called, under the lock, when the account is emptied (`POST /moto-api/reset`): a manner
            that remembers objects puts its forgetting here.
    """

    clock: AwsClock
    dice: Dice
    figures: Mapping[str, Figure]
    wrong: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[ByHand, ...] = ()
    lock: threading.RLock = field(default_factory=threading.RLock)
    on_call: list[Callable[[], None]] = field(default_factory=list)
    on_reset: list[Callable[[], None]] = field(default_factory=list)

    def takes(self, name: str) -> float:
        """AWS seconds that the next `name` takes.

        Raises:
            KeyError: no figure has this name.
        """
        return self.dice.seconds(name, self.figures[name])


class Deed(StrEnum):
    """What somebody does by hand. Each bears on the newest such object of a deployment in the region."""

    TERMINATE_INSTANCE = "TerminateInstances"
    DELETE_MOUNT_TARGET = "DeleteMountTarget"
    DELETE_FILE_SYSTEM = "DeleteFileSystem"


@dataclass(frozen=True, slots=True)
class ByHand:
    """Something that somebody else does meanwhile.

    Attributes:
        after: the operation after which it is done: at once when AWS has acted, before it answers.
        do: what is done.
        seen: after how many such calls that succeeded; it is done once.
    """

    after: str
    do: Deed
    seen: int = 1
