"""One request to the local AWS, parsed into a value: service, operation and parameters.

Owns the parsing of a request, whose body stays readable for moto. The access key is used only to find its
account, as moto does; the secret is never sent.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tier1_engine.sandbox.wire import wire
from tier1_engine.sandbox.wire.operations import operation_model, routed, service_model, service_of

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d+/([^/,\s]+)/([^/,\s]+)/aws4_request")
_READING = re.compile(r"(Describe|List|Get|Head|Search)[A-Z]")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        service: one of `operations.SERVICES`.
        operation: as AWS names it: `RunInstances`.
        region: the region that it was signed for.
        account_id: the account of the signing key.
        parameters: by their names in botocore's model.
    """

    service: str
    operation: str
    region: str
    account_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether it may change something, judged by the prefix of the operation's name."""
        return not _READING.match(self.operation)

    def fingerprint(self) -> str:
        """Equal for two calls with the same request, and for no others."""
        text = json.dumps(
            [self.service, self.operation, self.region, self.account_id, self.parameters],
            sort_keys=True,
            default=str,
        )
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def read(environ: WSGIEnvironment) -> Call | None:
    """The call in a request; None when it is signed for a service that the local AWS does not support."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return None
    access_key, region, signing_name = scope.groups()
    service = service_of(signing_name)
    if service is None:
        return None
    found = _operation(service, environ, _body(environ))
    return found and Call(service, found[0], region, _account_of(access_key), found[1])


def _body(environ: WSGIEnvironment) -> bytes:
    """The whole body, which is made readable again."""
    length = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length)) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def _operation(service: str, environ: WSGIEnvironment, body: bytes) -> tuple[str, dict[str, Any]] | None:
    protocol = service_model(service).resolved_protocol
    query = environ.get("QUERY_STRING", "")
    if protocol in ("rest-json", "rest-xml"):
        place = routed(service, environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/"), query)
        model = place and operation_model(service, place[0])
        return (place[0], wire.from_rest(model, place[1], query, body)) if place and model else None
    if protocol == "json":
        name = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        return (name, wire.from_json(body)) if operation_model(service, name) else None
    form = wire.form_of(body, query)
    name = form.get("Action", "")
    model = operation_model(service, name)
    return (name, wire.from_form(model, form)) if model else None


def _account_of(access_key: str) -> str:
    from moto.iam import models

    return models.get_account_id_from(access_key)
