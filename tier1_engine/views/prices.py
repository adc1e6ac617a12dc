"""What the remaining resources cost: an estimate from the list prices that each kind declares. Pure.

Owns the sums and their wording. The kinds have the figures: list prices of us-east-1, without discounts,
traffic and taxes. Most other regions cost more. A price that no kind knows is reported as unknown, never as
free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tier1_engine.contract.kind import Kind
from tier1_engine.contract.price import FREE, HOURS_A_MONTH, UNKNOWN_PRICE, Price

AS_OF = "February 2026"
"""When the prices of the built-in kinds were last compared with AWS's."""
CAVEAT = f"estimate from us-east-1 list prices, {AS_OF}; other regions differ"


class Priced(Protocol):
    """The attributes of a resource that determine its price; a row of the record has them."""

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
    """The prices of resources, by the installed kinds."""

    kinds: Mapping[str, Kind]

    def of_resource(self, resource: Priced) -> Price:
        """Return the estimate for one resource."""
        kind = self.kinds.get(resource.kind)
        price = UNKNOWN_PRICE if kind is None else kind.price(resource.request, resource.candidate)
        return Price(0.0, "no charge: terminated") if resource.ended and price != FREE else price

    def monthly(self, kind: str, resource: Priced | None) -> float | None:
        """Return the US dollars a month for one object; None if unknown, as for storage billed by usage.

        Args:
            resource: its row; without one, the price is known only for kinds that are always free.
        """
        if resource is not None:
            return self.of_resource(resource).monthly
        known = self.kinds.get(kind)
        return 0.0 if known is not None and known.list_price == FREE else None

    def hourly(self, resources: Iterable[Priced]) -> float:
        """Return the US dollars an hour of all resources with a known price."""
        return sum(self.of_resource(resource).hourly or 0.0 for resource in resources)

    def in_sum(self, resources: Iterable[Priced]) -> str:
        """Format the sum: `about $0.05/h, $34/month`; also names unknown prices."""
        prices = [self.of_resource(resource) for resource in resources]
        known = sum(price.hourly or 0.0 for price in prices)
        words = f"about ${known:.2f}/h, ${known * HOURS_A_MONTH:.0f}/month" if known else "no hourly charge"
        unknown = sum(price.hourly is None for price in prices)
        return f"{words}, and {unknown} of unknown price" if unknown else words


def briefly(dollars_an_hour: float) -> str:
    """Format a price as `~$0.05/h`; empty if it rounds to zero."""
    return f"~${dollars_an_hour:.2f}/h" if dollars_an_hour >= 0.005 else ""
