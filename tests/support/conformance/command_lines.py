"""Runs an `aws` command line without the AWS CLI: its arguments become the call that the CLI would make.

Supports the part of the CLI's grammar that the kinds' commands use: one value per option, lists as several
arguments, structures as JSON, and waiters. An option that the operation lacks is an error, as in the CLI.
"""

from __future__ import annotations

import json
import shlex
from functools import cache
from itertools import takewhile
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ServiceModel, Shape
from botocore.waiter import WaiterModel

from tier1_engine.contract.cloud import Cloud

GLOBAL_OPTIONS = frozenset({"output", "query"})


def run(cloud: Cloud, line: str) -> None:
    """Run one line; a line that only reads or waits is validated, and not run."""
    program, service, verb, *words = shlex.split(line)
    assert program == "aws"
    assert "\n" not in line
    if verb == "wait":
        assert words[0] in waiters(service)
        return
    name, parameters = _call(service, verb, words)
    if not verb.startswith(("describe-", "get-", "list-")):
        cloud.change(service, xform_name(name), **parameters)


def _call(service: str, verb: str, words: list[str]) -> tuple[str, dict[str, Any]]:
    model = service_model(service)
    name = {_dashed(operation): operation for operation in model.operation_names}[verb]
    input_shape = model.operation_model(name).input_shape
    assert input_shape is not None
    members = {_dashed(member): member for member in input_shape.members}
    parameters: dict[str, Any] = {}
    while words:
        option = words.pop(0)
        assert option.startswith("--"), f"{option} stands where an option should"
        values = list(takewhile(lambda word: not word.startswith("--"), words))
        del words[: len(values)]
        if option[2:] not in GLOBAL_OPTIONS:
            member = members[option[2:]]
            parameters[member] = _value(input_shape.members[member], values)
    return name, parameters


def _value(shape: Shape, words: list[str]) -> Any:
    if words and words[0][:1] in ("[", "{"):
        return json.loads(words[0])
    if shape.type_name == "list":
        return words
    (word,) = words
    return word


def _dashed(name: str) -> str:
    dashed: str = xform_name(name, "-")
    return dashed


@cache
def service_model(service: str) -> ServiceModel:
    """What botocore knows of a service."""
    return botocore.session.get_session().get_service_model(service)


@cache
def waiters(service: str) -> frozenset[str]:
    """The names of a service's waiters, as the CLI spells them."""
    model: WaiterModel = botocore.session.get_session().get_waiter_model(service)
    return frozenset(_dashed(name) for name in model.waiter_names)
