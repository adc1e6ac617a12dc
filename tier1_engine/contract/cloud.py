"""The interface to AWS, and the permit that is checked just before a changing call is sent.

Owns the contract between the lease, which can withdraw the right to act, and the cloud, which sends the
calls. It decides nothing and knows neither AWS nor the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from tier1_engine.errors import Acted, CallError

PERMIT_REFUSED = "PermitRefused"


class PermitRefused(CallError):
    """The permit was withdrawn, and the call was not sent.

    Args:
        message: the reason, a sentence for the operator.
        operation: the API operation; the cloud sets it if the permit does not know it.
    """

    def __init__(self, message: str, operation: str = "") -> None:
        super().__init__(PERMIT_REFUSED, message, operation=operation, acted=Acted.REFUSED)


class Permit(Protocol):
    """Decides whether this process may still make changes."""

    def check(self) -> None:
        """Return if a changing call may be sent now.

        Called for every changing call, after signing and just before its bytes are sent, in the thread that
        makes the call. Must be thread-safe.

        Raises:
            PermitRefused: the call may not be sent.
        """
        ...


class AlwaysPermitted:
    """A permit that always allows: for a preflight, a sandbox, a test."""

    def check(self) -> None:
        return None


class Reply(dict[str, Any]):
    """AWS's reply to one call, a mapping that also names the call.

    Attributes:
        operation: the API operation, such as `CreateDBInstance`; boto3's method name does not tell.
        request_id: AWS's id of the call, if the reply has one.
    """

    def __init__(self, members: Mapping[str, Any], operation: str, request_id: str | None = None) -> None:
        super().__init__(members)
        self.operation = operation
        self.request_id = request_id


class Cloud(Protocol):
    """One AWS account and region, as a kind sees it. Every method raises `CallError`.

    Operations have their boto3 names (`describe_vpcs`). Nothing is retried.
    """

    @property
    def region(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make a read-only call."""
        ...

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Make a paginated read-only call; yield the items under `result_key` of all pages."""
        ...

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Make a call that changes something. The permit is checked just before the bytes are sent.

        A kind uses the reply like that of `read`; the engine records the call that it belongs to.
        """
        ...
