"""The permit: the last question before a call that changes something leaves this process.

Owns the contract between whoever may withdraw the right to act (the lease) and whoever sends (the
cloud). It never decides by itself and knows neither AWS nor the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from tier1_engine.errors import Acted, CallError

PERMIT_REFUSED = "PermitRefused"


class PermitRefused(CallError):
    """The permit to change something was withdrawn; the call was not sent.

    Args:
        message: why, in a sentence for the operator.
        operation: the API operation; the cloud fills it in for a permit that does not know it.
    """

    def __init__(self, message: str, operation: str = "") -> None:
        super().__init__(PERMIT_REFUSED, message, operation=operation, acted=Acted.REFUSED)


class Permit(Protocol):
    """Says whether this process may still change something."""

    def check(self) -> None:
        """Return when a changing call may leave now.

        It is asked for every changing call, after it was signed and just before its bytes go out, from
        whatever thread makes the call: it is safe to ask from several at once.

        Raises:
            PermitRefused: it may not.
        """
        ...


class AlwaysPermitted:
    """The permit of whoever needs none: a preflight, a sandbox, a test."""

    def check(self) -> None:
        return None


class Reply(dict[str, Any]):
    """AWS's reply to one call, read by its members; it says which call it answers.

    Attributes:
        operation: as AWS names it, e.g. `CreateDBInstance`; boto3's names do not tell.
        request_id: AWS's id of the call, where the reply has one.
    """

    def __init__(self, members: Mapping[str, Any], operation: str, request_id: str | None = None) -> None:
        super().__init__(members)
        self.operation = operation
        self.request_id = request_id


class Cloud(Protocol):
    """One account and region of AWS, as a kind sees it. Every method raises `CallError`.

    Operations are named as boto3 names them (`describe_vpcs`). Nothing here retries.
    """

    @property
    def region(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make a call that only observes."""
        ...

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Make a paginated call that only observes; yield the items under `result_key` of all pages."""
        ...

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Make a call that changes something. The permit is asked just before the bytes go out.

        A kind reads the reply as it reads that of `read`; the engine records which call it answers.
        """
        ...
