"""What is left costs about so much: an estimate, made of what each kind says of its own resources. Pure.

Owns the sums and the words around them. The figures stand with the kinds; here is only what holds for all of
them: list prices of us-east-1, without discounts, traffic and taxes. Other regions mostly cost more. What no
kind knows is said to be unknown, never taken as free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tier1_engine.contract.kind import Kind
from tier1_engine.contract.price import FREE, HOURS_A_MONTH, UNKNOWN_PRICE, Price

AS_OF = "February 2026"
"""When the figures of this package's kinds were last compared with AWS's."""
CAVEAT = f"estimate from us-east-1 list prices, {AS_OF}; other regions differ"


class Priced(Protocol):
    """What is asked of a resource to estimate it; a row of the record is one."""

    @property
    def kind(self) -> str: ...
    @property
    def request(self) -> Mapping[str, Any]: ...
    @property
    def candidate(self) -> int: ...
    @property
    def ended(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Prices:
    """What resources cost, by the kinds that are installed here."""

    kinds: Mapping[str, Kind]

    def of_resource(self, resource: Priced) -> Price:
        """The estimate for one resource."""
        kind = self.kinds.get(resource.kind)
        price = UNKNOWN_PRICE if kind is None else kind.price(resource.request, resource.candidate)
        return Price(0.0, "no charge: terminated") if resource.ended and price != FREE else price

    def monthly(self, kind: str, resource: Priced | None) -> float | None:
        """US dollars a month of one thing; None where nobody knows, as of what is billed by its contents.

        Args:
            resource: its row; without one only what costs nothing whatever was asked for is known.
        """
        if resource is not None:
            return self.of_resource(resource).monthly
        known = self.kinds.get(kind)
        return 0.0 if known is not None and known.list_price == FREE else None

    def hourly(self, resources: Iterable[Priced]) -> float:
        """US dollars an hour for all of which it is known."""
        return sum(self.of_resource(resource).hourly or 0.0 for resource in resources)

    def in_sum(self, resources: Iterable[Priced]) -> str:
        """`about $0.05/h, $34/month`; says so when some has no figure, and when nothing costs by the hour."""
        prices = [self.of_resource(resource) for resource in resources]
        known = sum(price.hourly or 0.0 for price in prices)
        words = f"about ${known:.2f}/h, ${known * HOURS_A_MONTH:.0f}/month" if known else "no hourly charge"
        unknown = sum(price.hourly is None for price in prices)
        return f"{words}, and {unknown} of unknown price" if unknown else words


def briefly(dollars_an_hour: float) -> str:
    """`~$0.05/h`; empty where it would say nothing."""
    return f"~${dollars_an_hour:.2f}/h" if dollars_an_hour >= 0.005 else ""
