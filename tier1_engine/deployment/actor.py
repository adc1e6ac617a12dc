"""Who acts: the identity in AWS, the user of the host and, in CI, the run. A value only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Actor:
    """Who runs a command.

    Attributes:
        arn: of the caller; None if AWS did not say, for example because the credentials have expired, or if
            the command does not use AWS.
        run_url: of the CI job; None elsewhere.
    """

    arn: str | None
    user: str
    host: str
    run_url: str | None = None

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Read the stored form."""
        return cls(stored["arn"], stored["user"], stored["host"], stored["run_url"])

    def to_stored(self) -> dict[str, Any]:
        """Return the stored form, which is also its JSON."""
        return asdict(self)
