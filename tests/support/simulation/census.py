"""The simulated account as the census of `tests.support.census` sees it."""

from __future__ import annotations

from functools import partial

from tests.support.census import WATCH, Account, Books, Standing
from tests.support.simulation.world import Thing, World
from tier1_engine.store.store import Store


def watch(world: World, store: Store) -> None:
    """Compare this account with this database when the test ends, or the database makes way for another.

    What a test puts into the account by hand was there before: it is noted at the next call.
    """
    known = [0]

    def look() -> list[Standing]:
        note()
        for key in [key for key in account.before if key[2] in world.by_hand]:
            del account.before[key]  # it was removed by its owner
        return standing(world)

    account = Account(look, partial(_books, store))

    def note() -> None:
        if len(world.things) != known[0]:
            for thing in world.living():
                one = _standing(world, thing)
                if thing.id not in world.made:
                    account.before.setdefault(one.key, one)
            known[0] = len(world.things)

    world.on_call = note
    WATCH.add((id(store), id(world)), account)


def leave(store: Store) -> None:
    """Judge the accounts of a database that makes way for another."""
    for key in list(WATCH.accounts):
        if isinstance(key, tuple) and key[0] == id(store):
            WATCH.leave(key)


def standing(world: World) -> list[Standing]:
    """Everything that exists in it."""
    return [_standing(world, thing) for thing in world.living()]


def _standing(world: World, thing: Thing) -> Standing:
    attributes = {
        "needs": list(thing.needs),
        "settings": sorted(thing.settings),
        "leaving": thing.deleting_since is not None,
    }
    return Standing(
        thing.kind,
        thing.id,
        "simulated",
        dict(thing.tags),
        attributes,
        leaving=thing.deleting_since is not None,
    )


def _books(store: Store) -> Books:
    books = Books()
    books.add(store.engine)
    return books
