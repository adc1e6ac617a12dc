"""The census at the end of every test that touches an AWS, whatever the test was about.

It lists every object and compares it with the database. A finding fails the test:

    unknown   it exists, it did not exist before, and no row accounts for it
    twice     two live objects carry the key of one resource
    changed   an object from before is missing, or has other attributes or tags

The creator of an AWS registers it: the simulated account (`tests.support.simulation.rig`), the sandbox as a
process (`tests.support.local_aws`, `tests.support.processes.stage`). moto in this process, plain or with
AWS's behaviour, is registered automatically at its calls (`tests.support.census_of_moto`). A scripted cloud
(`tests.support.scripted_cloud`) has answers and no objects: there is nothing to list. A test that leaves
something on purpose has `@pytest.mark.leaves("why", "unknown")`; the other two are still checked, and an
unnecessary mark fails, too. This module is a pytest plugin: the census runs right after the test's last line,
while its processes and sandboxes still exist.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tier1_engine.contract.kind import TAG_DATABASE, TAG_RESOURCE
from tier1_engine.deployment.states import Action, Outcome, ResourceState
from tier1_engine.errors import ConfigurationError, DatabaseUnavailable
from tier1_engine.sandbox.process import server
from tier1_engine.sandbox.process.state import STATE_FILE
from tier1_engine.store import database
from tier1_engine.store.mapping import ATTEMPTS, RESOURCES
from tier1_engine.store.tables import Installation

UNKNOWN, TWICE, CHANGED = "unknown", "twice", "changed"
WHATS = (UNKNOWN, TWICE, CHANGED)
FINDINGS_TOLD = 12

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """One object that exists.

    Attributes:
        attributes: its other mutable attributes.
        part_of: the id of the object that it is created and deleted with.
        deployment: the deployment that its tags name, or those of the object it belongs to.
        leaving: its deletion has begun.
        default: AWS had it from the start.
        state: as AWS names it; None where the kind has none.
    """

    kind: str
    id: str
    region: str
    tags: Mapping[str, str]
    attributes: Mapping[str, Any]
    part_of: str | None = None
    deployment: str | None = None
    leaving: bool = False
    default: bool = False
    state: str | None = None

    @property
    def key(self) -> Key:
        return (self.kind, self.region, self.id)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `what` is one of `WHATS`."""

    what: str
    text: str


# --- the database's side


@dataclass(slots=True)
class Books:
    """What the databases of a test record.

    Attributes:
        ids: their own ids, which their objects carry as `tier1:database`.
        states: of every row with an AWS id, by kind and id.
        owned: the owned rows among them.
        expected: `tier1:resource` of every create that may have acted and was not reconciled yet.
    """

    ids: set[str] = field(default_factory=set)
    states: dict[tuple[str, str], set[ResourceState]] = field(default_factory=dict)
    owned: set[tuple[str, str]] = field(default_factory=set)
    expected: set[str] = field(default_factory=set)

    def add(self, engine: Engine) -> None:
        """Read one database past all code of `tier1` that decides something."""
        with engine.connect().execution_options(reads_only=True) as connection:
            self.ids.update(connection.execute(_ID).scalars())
            open_creates = set(connection.execute(_OPEN_CREATES).scalars())
            for row in connection.execute(_ROWS):
                if row.aws_id is not None:
                    pair = (row.kind.replace("_", " "), row.aws_id)
                    self.states.setdefault(pair, set()).add(row.state)
                    if row.owned:
                        self.owned.add(pair)
                if row.id in open_creates:
                    self.expected.add(row.tagged_as)


_ID = select(Installation.database_id)
_ROWS = select(
    RESOURCES.c.id,
    RESOURCES.c.kind,
    RESOURCES.c.aws_id,
    RESOURCES.c.tagged_as,
    RESOURCES.c.state,
    RESOURCES.c.owned,
)
_OPEN_CREATES = select(ATTEMPTS.c.resource_id).where(
    ATTEMPTS.c.action == Action.CREATE,
    ATTEMPTS.c.settled.is_(False),
    ATTEMPTS.c.outcome.is_(None) | (ATTEMPTS.c.outcome == Outcome.UNKNOWN),
)


def books_at(urls: Iterable[str]) -> Books:
    """Of the databases at these URLs; a file that was never made, a server that is not there, or a URL
    that every command refuses, knows nothing.
    """
    books = Books()
    for url in urls:
        if url.startswith("sqlite") and not Path(url.partition("///")[2]).exists():
            continue
        try:
            engine = database.connect(url)
        except ConfigurationError:
            continue
        try:
            with suppress(DatabaseUnavailable), database.translated(engine):
                books.add(engine)
        finally:
            engine.dispose()
    return books


# --- the comparison


def findings(
    standing: Sequence[Standing], before: Mapping[Key, Standing], books: Books | None
) -> Iterator[Finding]:
    """Everything that is not as it should be.

    Args:
        before: what others had before, or made themselves meanwhile.
        books: None where a test has no database: then nothing can be unknown to it.
    """
    theirs = {key: was for key, was in before.items() if not _is_known_revision(was, books)}
    yield from _changed({one.key: one for one in standing}, theirs)
    yield from _twice(one for one in standing if one.key not in theirs)
    if books is not None:
        ours = [one for one in standing if one.key not in theirs and not one.default]
        yield from _unknown(ours, {one.id for one in standing}, books)


def _is_known_revision(thing: Standing, books: Books | None) -> bool:
    """Whether it carries the id of one of the databases, or a row records it as owned."""
    if books is None:
        return False
    return thing.tags.get(TAG_DATABASE) in books.ids or (thing.kind, thing.id) in books.owned


PASSING = frozenset({"state"})
"""What changes by itself: a new VPC is `pending`, and then `available`."""


def _changed(now: Mapping[Key, Standing], theirs: Mapping[Key, Standing]) -> Iterator[Finding]:
    for key, was in theirs.items():
        thing = now.get(key)
        if thing is None:
            yield Finding(CHANGED, f"{was.kind} {was.id} was there before and is gone")
            continue
        for what in ("tags", "attributes"):
            old, new = getattr(was, what), getattr(thing, what)
            if old != new:
                names = sorted(n for n in {*old, *new} - PASSING if old.get(n) != new.get(n))
                if not names:
                    continue
                changed = "; ".join(f"{n}: {old.get(n)!r} -> {new.get(n)!r}" for n in names)
                yield Finding(CHANGED, f"{was.kind} {was.id} has other {what} than before: {changed}")


def _twice(things: Iterable[Standing]) -> Iterator[Finding]:
    of_key: dict[tuple[str, str, str], list[str]] = {}
    for one in things:
        if (tag := one.tags.get(TAG_RESOURCE)) and not one.leaving and one.part_of is None:
            of_key.setdefault((one.kind, one.tags.get(TAG_DATABASE, ""), tag), []).append(one.id)
    for (kind, _, tag), ids in of_key.items():
        if len(ids) > 1:
            yield Finding(TWICE, f"{', '.join(ids)} are each the {kind} of resource {tag}")


def _unknown(things: Iterable[Standing], ids: Collection[str], books: Books) -> Iterator[Finding]:
    for one in things:
        states = books.states.get((one.kind, one.id))
        if states == {ResourceState.DELETED}:
            yield Finding(UNKNOWN, f"{one.kind} {one.id} stands, and its row says that it was deleted")
        elif states or one.part_of in ids or one.tags.get(TAG_RESOURCE) in books.expected:
            continue
        else:
            yield Finding(UNKNOWN, f"no row knows {one.kind} {one.id} {dict(one.tags)}")


# --- what is watched


@dataclass(slots=True)
class Account:
    """One AWS that a test may use.

    Attributes:
        look: lists everything that exists in it now.
        books: what the databases of the test record; None where there is none.
        before: foreign objects, as they were when first seen.
    """

    look: Callable[[], Sequence[Standing]]
    books: Callable[[], Books] | None
    before: dict[Key, Standing] = field(default_factory=dict)
    seen: set[Key] = field(default_factory=set)

    def note(self) -> None:
        """Record what appeared since the last tier1 command as foreign: it must not change from now on."""
        for one in self.look():
            if one.key not in self.seen:
                self.before.setdefault(one.key, one)

    def pass_over(self) -> None:
        """A tier1 command has ended: everything new since `note` was created by it."""
        self.seen.update(one.key for one in self.look())

    def findings(self) -> list[Finding]:
        standing = self.look()
        if not self.before and not standing:
            return []
        return list(findings(standing, self.before, self.books() if self.books else None))


class Watch:
    """The accounts of the running test, and the findings in accounts that it has removed."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.accounts: dict[object, Account] = {}
        self.databases: set[str] = set()
        self.folders: set[Path] = set()
        self.found: list[Finding] = []
        self.unattended = False

    def add(self, key: object, account: Account) -> Account:
        """Watch an account from now on; an earlier one of this key is judged now."""
        self.leave(key)
        self.accounts[key] = account
        return account

    def leave(self, key: object) -> None:
        """Judge what is about to be emptied or replaced."""
        if (account := self.accounts.pop(key, None)) is not None:
            self.found += account.findings()

    def sandbox(self, directory: Path) -> Account:
        """Watch the sandbox of a state directory, and what was in it until now."""
        account = Account(partial(of_sandbox, directory), lambda: books_at(self.databases))
        account.note()
        return self.add(directory, account)

    def command(
        self, environment: Mapping[str, str], *, waited_for: bool = True, stops: bool = False
    ) -> None:
        """A tier1 command begins in this environment.

        Args:
            stops: it stops the sandbox of that environment, which is therefore checked now.
            waited_for: `ended` will be called. Otherwise the origin of new objects is unknown from then on:
                only those seen before count as foreign.
        """
        folder = Path(environment.get("XDG_STATE_HOME", Path.home()), "tier1")
        self.databases.add(environment.get("TIER1_DATABASE_URL") or f"sqlite:///{folder / 'tier1.db'}")
        self.folders.add(folder)
        self._own_sandboxes()
        if stops:
            self.leave(folder)
        if not self.unattended:
            for account in self.accounts.values():
                account.note()
        self.unattended = self.unattended or not waited_for

    def ended(self) -> None:
        """The command has ended."""
        self._own_sandboxes()
        if not self.unattended:
            for account in self.accounts.values():
                account.pass_over()

    def _own_sandboxes(self) -> None:
        """A sandbox that a command has started is watched, too; it had what every account has.

        One that was killed has taken everything with it.
        """
        for folder in self.folders:
            runs = (folder / STATE_FILE).exists() and server.status(folder).running
            if runs and folder not in self.accounts:
                account = self.sandbox(folder)
                account.before = {key: one for key, one in account.before.items() if one.default}
            elif not runs:
                self.accounts.pop(folder, None)

    def end(self) -> list[Finding]:
        """Everything that was found; nothing is watched any more."""
        self._own_sandboxes()
        for key in list(self.accounts):
            self.leave(key)
        found = self.found
        self.begin()
        return found


WATCH = Watch()


def of_sandbox(directory: Path) -> list[Standing]:
    """Everything in a sandbox that runs.

    Raises:
        Refused: none does.
    """
    from tier1_engine.sandbox.process import remote

    return [_standing(one) for one in remote.census(directory)]


def of_moto() -> list[Standing]:
    """Everything in this process's moto."""
    from tier1_engine.sandbox import census

    return [_standing(one) for one in census.things()]


LEAVING = frozenset({"shutting-down", "terminated", "deleting", "deleted"})


def _standing(one: Any) -> Standing:
    return Standing(
        one.kind,
        one.id,
        one.region,
        one.tags,
        one.attributes,
        one.part_of,
        one.deployment,
        leaving=one.state in LEAVING,
        default=one.default,
        state=one.state,
    )


# --- pytest


def judge(found: Iterable[Finding], allowed: Mapping[str, str]) -> list[str]:
    """What fails a test: what it is not allowed to leave, and leave to do so that it does not need."""
    found = list(dict.fromkeys(found))
    said = [f"{one.what}: {one.text}" for one in found if one.what not in allowed]
    needless = sorted(allowed.keys() - {one.what for one in found})
    return said + [f"nothing is {what}: take the mark away ({allowed[what]})" for what in needless]


def allowances(item: pytest.Item) -> dict[str, str]:
    """What a test leaves on purpose, and why."""
    found: dict[str, str] = {}
    for mark in item.iter_markers("leaves"):
        reason, *whats = mark.args
        assert reason
        assert whats
        assert set(whats) <= set(WHATS)
        found.update(dict.fromkeys(whats, reason))
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Nothing is watched yet."""
    WATCH.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """The census, if the test itself passed."""
    yield
    if said := judge(WATCH.end(), allowances(item)):
        pytest.fail("census:\n  " + "\n  ".join(said[:FINDINGS_TOLD]), pytrace=False)
