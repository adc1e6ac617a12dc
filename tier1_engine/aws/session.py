"""The AWS that resource kinds see: clients, one call at a time, and translated errors.

Owns the clients, their timeouts, and the moment at which the permit for a change is checked. It never
retries (a blind retry of a create makes a second resource), never waits, and keeps no record of its
calls. botocore is imported only when a call is made, so that a command without calls starts fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from tier1_engine.aws.denials import ENCODED, in_words
from tier1_engine.aws.errors import (
    PARSER_STUMBLES,
    Call,
    check_body,
    failures,
    translate,
    unreadable,
)
from tier1_engine.aws.regions import REFUSED_STATUS, UNKNOWN_THERE, about_region
from tier1_engine.aws.sign_in import SignIn
from tier1_engine.contract.cloud import Permit, Reply
from tier1_engine.deployment.place import home_of
from tier1_engine.errors import CallError, ConfigurationError, Tier1Error
from tier1_engine.failures.codes import UNREADABLE_REPLY

if TYPE_CHECKING:
    from botocore.model import OperationModel

PAGES_LIMIT = 1000
"""The most pages of one list call: an endpoint whose list never ends is an error, not a loop."""

_current: ContextVar[Call | None] = ContextVar("tier1_aws_call", default=None)
Answer = TypeVar("Answer")


class AwsSession:
    """One region of AWS with one set of credentials. Safe to share between threads.

    Args:
        region: such as `us-east-1`.
        profile: a profile of the shared AWS config files; None for the default chain.
        endpoint_url: the endpoint of every service; None for AWS, or for what the AWS variables name.
        call_timeout_seconds: the budget of one call, from signing to the last byte of its reply.
    """

    def __init__(
        self,
        region: str,
        profile: str | None = None,
        endpoint_url: str | None = None,
        call_timeout_seconds: float = 20.0,
    ) -> None:
        self.region = region
        self._endpoint_url = endpoint_url
        self._call_timeout_seconds = call_timeout_seconds
        self.sign_in = SignIn(region, profile, endpoint_url, call_timeout_seconds)
        self._clients: dict[str, Any] = {}
        self._identity: tuple[str, str] | None = None
        self._may_decode = True
        self._asked_home = False
        self._home_says: dict[str, Any] = {}

    def identity(self) -> tuple[str, str]:
        """Return the account id and ARN of the caller. Asks AWS once per session.

        Raises:
            CallError: AWS did not identify the caller, for example `NoCredentials`.
        """
        if self._identity is None:
            reply = self.call("sts", "get_caller_identity")
            if not reply.get("Account") or not reply.get("Arn"):
                raise CallError(
                    UNREADABLE_REPLY, "the reply contains no account id", operation="GetCallerIdentity"
                )
            self._identity = (reply["Account"], reply["Arn"])
        return self._identity

    def await_credentials(self, seconds: float) -> None:
        """Obtain the credentials before the first call, from a source that may take longer than one.

        Raises:
            CallError: there were none within `seconds`, or none that can be used.
        """
        self._exchange(Call("the sign-in"), lambda: None, seconds)

    @property
    def caller_arn(self) -> str | None:
        """Return the ARN of the caller, if AWS has already been asked."""
        return None if self._identity is None else self._identity[1]

    def cloud(self, permit: Permit) -> AwsCloud:
        """Return this account and region, with a permit that is checked before every change."""
        return AwsCloud(self, permit)

    def endpoint(self, service: str) -> str:
        """Return the URL of a service.

        Raises:
            CallError, ConfigurationError: no client could be created.
        """
        call = Call(f"the client of {service}")
        self.sign_in.open(call)
        with _translated(call):
            return str(self._client(service).meta.endpoint_url)

    def call(
        self,
        service: str,
        operation: str,
        permit: Permit | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Make one call, with a permit if it changes something.

        Raises:
            CallError: the call failed; `acted` says whether AWS may have executed it.
            ConfigurationError: the region or endpoint is not valid.
            Tier1Error: a bug: no such operation, or parameters that its model does not accept.
        """
        call = Call(_api_name(operation), permit)
        method = getattr(self._client_with(service, operation, call), operation)
        members: dict[str, Any] = self._exchange(call, lambda: method(**(parameters or {})))
        metadata: Mapping[str, Any] = members.get("ResponseMetadata") or {}
        return Reply(members, call.operation, metadata.get("RequestId"))

    def pages(
        self, service: str, operation: str, result_key: str, parameters: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Yield the items under `result_key` of every page, one call per page. Raises what `call` raises."""
        call = Call(_api_name(operation))
        client = self._client_with(service, operation, call)
        if not client.can_paginate(operation):
            yield from self.call(service, operation, None, parameters).get(result_key) or ()
            return
        pages = iter(client.get_paginator(operation).paginate(**parameters))
        for _ in range(PAGES_LIMIT):
            page = self._exchange(call, lambda: next(pages, None))
            if page is None:
                return
            yield from page.get(result_key) or ()
        raise CallError(
            UNREADABLE_REPLY, f"the list is longer than {PAGES_LIMIT} pages", operation=call.operation
        )

    def _exchange(self, call: Call, make: Callable[[], Answer], seconds: float | None = None) -> Answer:
        """Make one exchange with AWS within the budget, and translate its errors.

        It runs in its own thread, because socket timeouts bound the wait for each byte but not a DNS lookup
        or a reply that trickles in. An abandoned thread can no longer change anything unless it had already
        sent its request.
        """
        call.sent, call.status, call.signed_in = False, None, False
        self.sign_in.open(call)
        answer: Future[Answer] = Future()

        def work() -> None:
            _current.set(call)
            try:
                self.sign_in.obtain(call)
                answer.set_result(make())
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                answer.set_exception(error)

        threading.Thread(target=work, name=f"tier1-{call.operation}", daemon=True).start()
        budget = self._call_timeout_seconds if seconds is None else seconds
        wait((answer,), timeout=budget)
        if not answer.done():
            raise call.abandoned(budget)
        try:
            with _translated(call):
                return answer.result()
        except CallError as error:
            raise self._explained(error) from error

    def _explained(self, error: CallError) -> CallError:
        """Return a refusal with what another call can tell about it."""
        if error.code in UNKNOWN_THERE and error.http_status in REFUSED_STATUS:
            return self._about_region(error)
        return self._decoded(error)

    def _about_region(self, error: CallError) -> CallError:
        """Return refused credentials as what they are if another region knows them. Asks once per session."""
        if not self._asked_home and self.region != home_of(self.region):
            self._asked_home = True
            about = {"AllRegions": True, "RegionNames": [self.region]}
            call = Call("DescribeRegions")
            try:
                with _translated(call):
                    client = self._make_client("ec2", home_of(self.region))
                self._home_says = self._exchange(call, lambda: client.describe_regions(**about))
            except CallError:
                pass  # what AWS said about the first call remains
        return about_region(error, self.region, self._home_says)

    def _decoded(self, error: CallError) -> CallError:
        """Return a refusal with its encoded part decoded, where these credentials may do that."""
        encoded = ENCODED.search(error.message)
        if encoded is None or not self._may_decode:
            return error
        try:
            reply = self.call("sts", "decode_authorization_message", None, {"EncodedMessage": encoded[1]})
        except CallError:
            self._may_decode = False
            return error
        return CallError(
            error.code,
            in_words(error.message, str(reply.get("DecodedMessage"))),
            operation=error.operation,
            acted=error.acted,
            request_id=error.request_id,
            http_status=error.http_status,
        )

    def _client_with(self, service: str, operation: str, call: Call) -> Any:
        """Return the client of a service, after checking that it has the operation."""
        if service not in self._clients:
            # Without credentials a client would be useless for ever, and obtaining them may hang.
            self._exchange(call, lambda: None)
        with _translated(call):
            client = self._client(service)
        if operation not in client.meta.method_to_api_mapping:
            raise Tier1Error(f"{service} has no operation {operation}.")
        call.operation = client.meta.method_to_api_mapping[operation]
        return client

    def _client(self, service: str) -> Any:
        with self.sign_in.lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service, self.region)
            return self._clients[service]

    def _make_client(self, service: str, region: str) -> Any:
        try:
            client = self.sign_in.session.create_client(
                service, region_name=region, endpoint_url=self._endpoint_url
            )
        except ValueError as error:
            if isinstance(error, failures()):
                raise
            endpoint = self._endpoint_url or "set in the AWS configuration"
            raise ConfigurationError(
                f"The endpoint {endpoint} cannot be used: {error}. Correct it, and try again."
            ) from error
        client.meta.events.register_first("before-send", _ask_permit)
        client.meta.events.register_first("before-parse", _check_reply)
        return client


class AwsCloud:
    """Implements `contract.cloud.Cloud` on a session: a change checks the permit just before it is sent."""

    def __init__(self, session: AwsSession, permit: Permit) -> None:
        self._session = session
        self._permit = permit

    @property
    def region(self) -> str:
        return self._session.region

    @property
    def account_id(self) -> str:
        return self._session.identity()[0]

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make a read-only call. Raises what `AwsSession.call` raises."""
        return self._session.call(service, operation, None, parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the items under `result_key` of all pages. Raises what `AwsSession.call` raises."""
        return self._session.pages(service, operation, result_key, parameters)

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Make a call that changes something. Raises what `AwsSession.call` raises.

        Raises:
            CallError: with code `PermitRefused` if the permit was withdrawn and the call was not sent.
        """
        return self._session.call(service, operation, self._permit, parameters)


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    """Translate what botocore raises inside the block."""
    try:
        yield
    except failures() as error:
        raise translate(error, call) from error
    except PARSER_STUMBLES as error:
        if call.status is None:
            raise
        # botocore's parsers fail on replies that lack expected members.
        raise unreadable(call, f"{type(error).__name__}: {error}") from error


def _ask_permit(**_event: Any) -> None:
    """Check the permit in botocore's `before-send`: after signing, before the first byte."""
    call = _current.get()
    if call is not None:
        call.leave()


def _check_reply(operation_model: OperationModel, response_dict: Mapping[str, Any], **_event: Any) -> None:
    """In botocore's `before-parse`, reject what its parsers would silently read as an empty result."""
    call = _current.get()
    if call is not None:
        call.status = int(response_dict["status_code"])
    check_body(operation_model, response_dict)


def _api_name(operation: str) -> str:
    """Convert a boto3 method name (`describe_vpcs`) to an API name (`DescribeVpcs`) without a client."""
    return "".join(word.capitalize() for word in operation.split("_"))
