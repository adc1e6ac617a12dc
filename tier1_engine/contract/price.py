"""What one resource costs while it exists: the value in which a kind answers that. Pure.

Owns the value and its words. The figures stand with the kinds, each with its date and source; what several
resources cost together is said in `views.prices`.
"""

from __future__ import annotations

from dataclasses import dataclass

HOURS_A_MONTH = 730.0
"""AWS's own figure in its price examples."""


@dataclass(frozen=True, slots=True)
class Price:
    """An estimate by the list prices of us-east-1, on demand, without discounts, traffic and taxes.

    Attributes:
        hourly: US dollars an hour; None where nobody knows, 0.0 where time alone costs nothing.
        about: what the figure is made of, what is billed instead of time, or why there is no figure.
    """

    hourly: float | None
    about: str = ""

    @property
    def words(self) -> str:
        """`$0.0466/h, $34.02/month (t3.medium, ...)`, `no charge`, or why there is no figure."""
        if not self.hourly:
            return self.about or "no charge"
        return f"${self.hourly:.4f}/h, ${self.hourly * HOURS_A_MONTH:.2f}/month ({self.about})"

    @property
    def monthly(self) -> float | None:
        """US dollars a month; None where nobody knows, as of what is billed by its contents."""
        if self.hourly is None or (self.about and not self.hourly):
            return None
        return round(self.hourly * HOURS_A_MONTH, 2)


FREE = Price(0.0)
"""AWS bills nothing for it."""
UNKNOWN_PRICE = Price(None, "price unknown")
"""What a kind costs that does not say so: unknown, never taken as free."""
