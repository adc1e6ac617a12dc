"""A hand-written `Cloud` for answers that no local AWS gives, and a target for them.

It validates calls and replies against botocore's models, so that a test cannot pass with a call that AWS
would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from moto import mock_aws

from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud, Reply
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Target
from tier1_engine.errors import Acted, CallError

REGION = "us-east-1"
ACCOUNT = "123456789012"
DEPLOYMENT = "0123456789ab"
RESOURCE = "aaaaaaaaaaaaaaaaaaaa"
TAGS = {
    TAG_DATABASE: "d0d0d0d0d0d0",
    TAG_DEPLOYMENT: DEPLOYMENT,
    TAG_RESOURCE: RESOURCE,
    TAG_NAME: "ai-stack",
    "Name": "ai-stack-it",
}

Answer = Mapping[str, Any] | CallError | Callable[[Mapping[str, Any]], Mapping[str, Any]]


def target(request: Mapping[str, Any] | None = None, **changes: Any) -> Target:
    """An owned target named `it`, requested for the first time."""
    values: dict[str, Any] = {
        "deployment_id": DEPLOYMENT,
        "resource_id": RESOURCE,
        "step": "it",
        "tags": TAGS,
        "request": request or {},
        "key": f"{RESOURCE}-1-0",
    }
    return Target(**{**values, **changes})


def refusal(code: str, *, acted: Acted = Acted.REFUSED, http_status: int = 400) -> CallError:
    """A refusal by AWS with this code."""
    return CallError(code, "said so", operation="Scripted", acted=acted, http_status=http_status)


def tag_entries(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class ScriptedCloud:
    """Answers each operation with its reply, raises its error, or asks its function.

    Attributes:
        calls: operation and parameters of every call, in order.
        changes: those that change something.
    """

    region = REGION
    account_id = ACCOUNT

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._answer(service, operation, parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        yield from self._answer(service, operation, parameters).get(result_key) or ()

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        self.changes.append((operation, parameters))
        members = self._answer(service, operation, parameters)
        request_id = members.get("ResponseMetadata", {}).get("RequestId")
        return Reply(members, _api_name(service, operation), request_id)

    def _answer(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        _check_parameters(service, operation, parameters)
        self.calls.append((operation, parameters))
        answer = self.answers[operation]
        if isinstance(answer, CallError):
            raise answer
        reply = dict(answer(parameters) if callable(answer) else answer)
        _check_reply(service, operation, reply)
        return reply


def _check_parameters(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    shape = _model(service).operation_model(_api_name(service, operation)).input_shape
    assert shape is not None
    report = ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()


def _check_reply(service: str, operation: str, reply: Mapping[str, Any]) -> None:
    shape = _model(service).operation_model(_api_name(service, operation)).output_shape
    known = {"ResponseMetadata", *(shape.members if shape else ())}
    assert set(reply) <= known, f"{operation} does not answer with {set(reply) - known}"


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def _api_name(service: str, operation: str) -> str:
    names = {botocore.xform_name(name): name for name in _model(service).operation_names}
    return str(names[operation])


@contextmanager
def local_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account of moto in this process, reached through the real `aws.py`."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    # Loading moto's catalogue of images takes seconds, and almost no test needs it.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield AwsSession(REGION, call_timeout_seconds=60.0).cloud(AlwaysPermitted())
