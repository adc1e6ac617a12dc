"""One driver at a time: acquire, renew, release.

Why a lease and not a lock: a lock ends with its connection and does not detect a driver that hangs; a lease
expires. It has three parts.

**Term and nonce.** Every acquisition increments the term. Every write of a driver locks the deployment's row
and compares term and nonce there (`store.commit`), so a replaced driver cannot write, even if it was stopped
between its last read and its write.

**Trust window.** A driver trusts its lease for `lease_seconds` from the moment *before* it requested it, on a
clock that includes suspend. Just before a mutating call is sent, `Permit` checks the remaining time again.
One gap remains: a process that is suspended between that check and the send.

**Replacement.** A holder is replaced at once if it is certainly gone: same host, same boot, same pid
namespace, and no process with its id and start time. Otherwise the lease must expire. A holder in the same
boot and time namespace reads the same steady clock, so that clock decides (wall time may be set). For any
other holder the database's clock decides. Clocks of two machines are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from tier1_engine.clock import Clock
from tier1_engine.deployment.record import Deployment, Step
from tier1_engine.errors import DrivenByAnother, LeaseLost, NoSuchDeployment
from tier1_engine.store import database, statements
from tier1_engine.store.columns import UtcTime
from tier1_engine.store.fence import NOBODY, Fence
from tier1_engine.store.holder import Holder, holding_until, in_words, is_alive, on_this_boot
from tier1_engine.store.mapping import DEPLOYMENTS
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction

RENEWALS_PER_LEASE = 3


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds.

    Attributes:
        trusted_until: steady seconds; no mutating call may be sent after it.
        taken_at: steady seconds; the grace period for unknown attempts of an earlier driver begins here.
    """

    deployment_id: str
    holder: Holder
    term: int
    seconds: float
    taken_at: float
    trusted_until: float

    @property
    def fence(self) -> Fence:
        return Fence(self.term, self.holder.nonce)

    @property
    def renewal_due(self) -> float:
        """Steady seconds."""
        return self.trusted_until - self.seconds * (RENEWALS_PER_LEASE - 1) / RENEWALS_PER_LEASE


def take(store: Store, deployment_id: str, holder: Holder, seconds: float, clock: Clock) -> Lease:
    """Acquire the lease of a deployment without a live driver.

    Raises:
        DrivenByAnother: a live process holds it; the message names the host, the process and the time.
        NoSuchDeployment: no deployment has this id.
    """
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        row = statements.first(transaction, _LOCK, {"locked": deployment_id})
        if row is None:
            raise NoSuchDeployment(f"There is no deployment {deployment_id}: see `tier1 list`.")
        now = _database_time(transaction, clock)
        if row.holder is not None and is_alive(row.holder, row.lease_expires_at, now, clock):
            raise DrivenByAnother(
                sentence(deployment_id, row.holder, row.lease_since), in_words(row.holder, row.lease_since)
            )
        # The trust window starts before the write, so that it ends before the lease ends for others.
        lease = _from(clock.steady(), deployment_id, holder, row.lease_term + 1, seconds)
        statements.change(transaction, DEPLOYMENTS, {"id": deployment_id}, _columns(lease, now))
    return lease


def take_with(
    store: Store,
    deployment: Deployment,
    steps: Sequence[Step],
    message: str,
    holder: Holder,
    seconds: float,
    clock: Clock,
) -> Lease:
    """Create a deployment together with its lease, in one transaction.

    Raises:
        NameInUse: an existing deployment in this account and region has this name.
    """
    lease = _from(clock.steady(), deployment.id, holder, 1, seconds)

    def columns(transaction: Transaction) -> dict[str, Any]:
        return _columns(lease, _database_time(transaction, clock))

    store.create(deployment, steps, message, held=columns)
    return lease


def _from(asked_at: float, deployment_id: str, holder: Holder, term: int, seconds: float) -> Lease:
    held = holding_until(holder, asked_at + seconds)
    return Lease(deployment_id, held, term, seconds, asked_at, asked_at + seconds)


def _columns(lease: Lease, now: datetime) -> dict[str, Any]:
    return {
        "asked_by": lease.holder.actor,
        "holder": asdict(lease.holder),
        "lease_term": lease.term,
        "lease_since": now,
        "lease_expires_at": now + timedelta(seconds=lease.seconds),
    }


def renew(store: Store, lease: Lease, clock: Clock) -> Lease:
    """Extend the lease to `lease.seconds` from now.

    Raises:
        LeaseLost: another driver has taken over.
        DatabaseUnavailable: it may or may not have been renewed; the old trust window remains.
    """
    asked_at = clock.steady()
    held = holding_until(lease.holder, asked_at + lease.seconds)
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        _lock_held(transaction, lease)
        expires = _database_time(transaction, clock) + timedelta(seconds=lease.seconds)
        values = {"holder": asdict(held), "lease_expires_at": expires}
        statements.change(transaction, DEPLOYMENTS, {"id": lease.deployment_id}, values)
    return Lease(
        lease.deployment_id, held, lease.term, lease.seconds, lease.taken_at, asked_at + lease.seconds
    )


def release(store: Store, lease: Lease) -> None:
    """Release the lease; one that was lost meanwhile stays with its new holder."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        try:
            _lock_held(transaction, lease)
        except LeaseLost:
            return
        statements.change(transaction, DEPLOYMENTS, {"id": lease.deployment_id}, NOBODY)


def driven(store: Store, holder: Mapping[str, Any] | None, expires_at: datetime | None, clock: Clock) -> bool:
    """Whether the holder in a row counts as a live driver now."""
    if holder is None or expires_at is None:
        return False
    now = clock.now()
    if store.engine.dialect.name == "postgresql" and not on_this_boot(holder):
        with database.translated(store.engine), Transaction(store.writers) as transaction:
            now = _database_time(transaction, clock)
    return is_alive(holder, expires_at, now, clock)


def sentence(deployment_id: str, holder: Mapping[str, Any], since: datetime | None) -> str:
    """Tell an operator who holds the lease, and what to do."""
    return (
        f"Deployment {deployment_id} is locked by {in_words(holder, since)}: "
        "wait for it, or stop that process and run the command again."
    )


def _lock_held(transaction: Transaction, lease: Lease) -> None:
    row = statements.first(transaction, _LOCK, {"locked": lease.deployment_id})
    if row.lease_term != lease.term or row.holder is None or row.holder["nonce"] != lease.holder.nonce:
        raise LeaseLost(
            f"Another process has taken over {lease.deployment_id}: this one stops and changes nothing more."
        )


def _database_time(transaction: Transaction, clock: Clock) -> datetime:
    """Return the database's time (the host's for SQLite); `now()` would be constant in a transaction."""
    if transaction.dialect.name == "postgresql":
        now: datetime = statements.first(transaction, _NOW, {}).at
        return now
    return clock.now()


_NOW = select(func.clock_timestamp(type_=UtcTime).label("at"))


_LOCK = (
    select(
        DEPLOYMENTS.c.lease_term,
        DEPLOYMENTS.c.holder,
        DEPLOYMENTS.c.lease_since,
        DEPLOYMENTS.c.lease_expires_at,
    )
    .where(DEPLOYMENTS.c.id == bindparam("locked"))
    .with_for_update()
)
