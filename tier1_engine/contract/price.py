"""The price of one resource, as its kind estimates it. Pure.

Owns the value and its text. The figures are in the kinds, each with its date and source. `views.prices` adds
up several resources.
"""

from __future__ import annotations

from dataclasses import dataclass

HOURS_A_MONTH = 730.0
"""The hours per month that AWS's own price examples use."""


@dataclass(frozen=True, slots=True)
class Price:
    """An estimate by on-demand list prices of us-east-1, without discounts, traffic and taxes.

    Attributes:
        hourly: US dollars per hour; None if unknown, 0.0 if there is no hourly charge.
        about: what the figure includes, what is billed instead of time, or why there is no figure.
    """

    hourly: float | None
    about: str = ""

    @property
    def words(self) -> str:
        """Return `$0.0466/h, $34.02/month (t3.medium, ...)`, `no charge`, or why there is no figure."""
        if not self.hourly:
            return self.about or "no charge"
        return f"${self.hourly:.4f}/h, ${self.hourly * HOURS_A_MONTH:.2f}/month ({self.about})"

    @property
    def monthly(self) -> float | None:
        """Return US dollars per month; None if unknown, for example if it is billed by its contents."""
        if self.hourly is None or (self.about and not self.hourly):
            return None
        return round(self.hourly * HOURS_A_MONTH, 2)


FREE = Price(0.0)
"""The price of what AWS does not charge for."""
UNKNOWN_PRICE = Price(None, "price unknown")
"""The price of a kind that declares none: unknown, never assumed to be free."""
