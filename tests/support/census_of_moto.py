"""This process's moto as the census sees it (`tests.support.census`), whichever test calls it.

Kinds, behaviours and faults are tested here without a database. The names in the test's calls replace its
rows:

    changed   no call named it, and it is missing or has other attributes or tags than at the first call
    twice     as everywhere
    unknown   it carries tier1's tags, and neither a request nor a reply named it

So a test may change everything that it names; objects that it makes without tier1's tags are its own, and are
deleted with its account. Nothing is compared when a test makes no call. Objects in a transitional state at
the start of the test change by themselves, and so do their parts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

import pytest

from tests.support.census import LEAVING, WATCH, Account, Books, Key, Standing, of_moto
from tests.support.processes.proxy import READING
from tier1_engine.contract.kind import TAG_DEPLOYMENT
from tier1_engine.deployment.states import ResourceState

ACCOUNT = "moto"
INTERFACE = "network interface"
ON_ITS_WAY = LEAVING | {"pending", "creating", "stopping"}


class Calls:
    """The calls that the running test has made.

    Attributes:
        said: requests and replies of mutating calls, as text.
        heard: a test is running, and not its fixtures.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.heard = False
        self._around = False

    def begin(self) -> None:
        """A test begins: from its first call on, its account is watched."""
        self.listen()
        self.said = []
        self.heard = True

    def end(self) -> None:
        self.heard = False

    def listen(self) -> None:
        """Hook into the one place that every call passes, once moto is loaded."""
        if self._around or "moto.core.responses" not in sys.modules:
            return
        from moto.core.base_backend import BackendDict
        from moto.core.responses import BaseResponse

        _put_around(BaseResponse, "call_action", self._call)
        _put_around(BackendDict, "reset", self._reset)
        self._around = True

    def _call(self, answer: Callable[[], Any], response: Any) -> Any:
        if not self.heard:
            return answer()
        if ACCOUNT not in WATCH.accounts:
            WATCH.add(ACCOUNT, _account(self.said))
        reply = answer()
        if not response._get_action().startswith(READING):  # noqa: SLF001 - no public name leads to it
            self.said.append(repr((response.uri, response.body, response.data, reply)))
        return reply

    def _reset(self, empty: Callable[[], Any], *_: Any) -> Any:
        """The account is emptied: what was in it is judged now."""
        WATCH.leave(ACCOUNT)
        self.said = []
        return empty()


CALLS = Calls()


def _put_around(owner: Any, name: str, function: Callable[..., Any]) -> None:
    before = getattr(owner, name)

    @wraps(before)
    def instead(*given: Any, **named: Any) -> Any:
        return function(partial(before, *given, **named), *given)

    setattr(owner, name, instead)


def _account(said: list[str]) -> Account:
    """The current state of this moto."""
    standing: list[Standing] = []

    def look() -> list[Standing]:
        """What was named since is the test's own."""
        for key, one in list(account.before.items()):
            if _is_named(one, said):
                del account.before[key]
        standing[:] = of_moto()
        return standing

    stood = {one.key: one for one in of_moto()}
    account = Account(look, lambda: _described(said, stood, standing))
    account.before = _settled(stood)
    return account


def _settled(stood: Mapping[Key, Standing]) -> dict[Key, Standing]:
    """The objects without those that change by themselves: transitional ones, and their parts.

    An interface may outlive the object that it was a part of, and then names no owner.
    """
    settled = {one.id for one in stood.values() if one.state not in ON_ITS_WAY}
    return {
        key: one
        for key, one in stood.items()
        if one.id in settled and (one.part_of in settled if one.part_of else one.kind != INTERFACE)
    }


def _is_named(one: Standing, said: list[str]) -> bool:
    """It, or what it comes and goes with."""
    return any(one.id in text or (one.part_of or one.id) in text for text in said)


def _described(said: list[str], stood: Mapping[Key, Standing], standing: list[Standing]) -> Books:
    """Everything that the test knows: earlier objects, named objects, and foreign ones."""
    books = Books()
    for one in standing:
        if one.key in stood or TAG_DEPLOYMENT not in one.tags or _is_named(one, said):
            books.states[one.kind, one.id] = {ResourceState.PRESENT}
    return books


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Hook in before a fixture patches moto: what it restores would take the hook away."""
    CALLS.listen()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """What fixtures do before and after is not the test's."""
    CALLS.begin()
    try:
        yield
    finally:
        CALLS.end()
