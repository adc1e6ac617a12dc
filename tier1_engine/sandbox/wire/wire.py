"""Reads the parameters of a request from its wire format, by the operation's model.

Owns the protocols of the supported services: the query protocols (EC2's, and that of IAM and STS), JSON with
a target (SSM), and REST with JSON (EFS) or XML (S3). A value that does not fit its type stays text: the
service validates it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from botocore.model import OperationModel, Shape, StructureShape

Tree = dict[str, Any]
LIST_ITEMS_LIMIT = 10_000
"""The maximum number of items read from one list; a client that numbers more sends nonsense."""


def form_of(body: bytes, query: str) -> dict[str, str]:
    """The pairs of a query request, from its body or its URL."""
    text = body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True)) or dict(parse_qsl(query, keep_blank_values=True))


def from_form(model: OperationModel, form: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of the query protocols: `Filter.1.Name=vpc-id` is `{"Filters": [{"Name": "vpc-id"}]}`."""
    if model.input_shape is None:
        return {}
    ec2 = model.service_model.resolved_protocol == "ec2"
    taken = _take(model.input_shape, _tree(form), ec2)
    return taken if isinstance(taken, dict) else {}


def from_json(body: bytes) -> dict[str, Any]:
    """The parameters of a JSON body; empty when it is no JSON object."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def from_rest(model: OperationModel, path: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
    """The parameters of a REST operation, from its path, its query string and its body."""
    shape = model.input_shape
    if shape is None:
        return {}
    asked = dict(parse_qsl(query, keep_blank_values=True))
    wired = {"uri": path, "querystring": asked}
    xml = model.service_model.resolved_protocol == "rest-xml"
    inside = _payload(shape, body) if xml else from_json(body)
    taken = {}
    for name, member in shape.members.items():
        source = wired.get(member.serialization.get("location", ""), inside)
        wire_name = member.serialization.get("name", name)
        if wire_name in source:
            value = source[wire_name]
            taken[name] = _scalar(member, value) if isinstance(value, str) else value
    return taken


def _payload(shape: StructureShape, body: bytes) -> dict[str, Any]:
    """The XML document of a body, by the name of its member; the bytes of an object are not read."""
    name = shape.serialization.get("payload")
    member = shape.members.get(name) if name else None
    if member is None or member.type_name != "structure" or not body:
        return {}
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - expat expands nothing without a DTD of the client's
    except ElementTree.ParseError:
        return {}
    return {str(member.serialization.get("name", name)): _from_xml(member, root)}


def _from_xml(shape: Shape, element: Element) -> Any:
    any_shape: Any = shape
    if shape.type_name == "structure":
        inside = {}
        for name, member in any_shape.members.items():
            wire = member.serialization.get("name", name)
            found = [child for child in element if _local(child) == wire]
            if found and member.type_name == "list" and member.serialization.get("flattened"):
                inside[name] = [_from_xml(member.member, child) for child in found]
            elif found:
                inside[name] = _from_xml(member, found[0])
        return inside
    if shape.type_name == "list":
        return [_from_xml(any_shape.member, child) for child in element]
    return _scalar(shape, element.text or "")


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _tree(form: Mapping[str, str]) -> Tree:
    root: Tree = {}
    for key, value in form.items():
        *branches, leaf = key.split(".")
        node = root
        for branch in branches:
            below = node.get(branch)
            if not isinstance(below, dict):
                below = node[branch] = {}
            node = below
        node.setdefault(leaf, value)
    return root


def _take(shape: Shape, node: Tree | str, ec2: bool) -> Any:
    any_shape: Any = shape
    if shape.type_name == "structure" and isinstance(node, dict):
        known = _wire_names(any_shape, ec2)
        return {
            name: _take(member, node[wire], ec2) for wire, (name, member) in known.items() if wire in node
        }
    if shape.type_name == "list":
        return _take_list(any_shape, node, ec2)
    if shape.type_name == "map" and isinstance(node, dict):
        entries = _numbered(node.get("entry", node))
        return {str(entry.get("key")): entry.get("value") for entry in entries if isinstance(entry, dict)}
    return _scalar(shape, node) if isinstance(node, str) else node


def _take_list(shape: Any, node: Tree | str, ec2: bool) -> list[Any]:
    if not isinstance(node, dict):
        return []  # the query protocols write an empty list as an empty text
    if not ec2 and not shape.serialization.get("flattened"):
        node = node.get(shape.member.serialization.get("name", "member"), {})
    return [_take(shape.member, item, ec2) for item in _numbered(node)]


def _numbered(node: Any) -> list[Any]:
    """The items of a list, sorted by their numbers."""
    if not isinstance(node, dict):
        return []
    numbers = sorted(int(key) for key in node if key.isdecimal() and len(key) < 6)
    return [node[str(number)] for number in numbers[:LIST_ITEMS_LIMIT] if str(number) in node]


def _wire_names(shape: StructureShape, ec2: bool) -> Mapping[str, tuple[str, Shape]]:
    return _wire_names_of(_ByIdentity(shape), ec2)


class _ByIdentity:
    """A shape as a cache key, compared by identity: models live as long as the process, and shapes are
    unhashable.
    """

    def __init__(self, shape: StructureShape) -> None:
        self.shape = shape

    def __hash__(self) -> int:
        return id(self.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.shape is self.shape


@cache
def _wire_names_of(key: _ByIdentity, ec2: bool) -> Mapping[str, tuple[str, Shape]]:
    names: dict[str, tuple[str, Shape]] = {}
    for name, member in key.shape.members.items():
        names[_wire_name(name, member, ec2)] = (name, member)
    return names


def _wire_name(name: str, member: Shape, ec2: bool) -> str:
    """Source: `QuerySerializer` and `EC2Serializer` of botocore's serialize.py."""
    given = member.serialization
    if not ec2:
        if member.type_name == "list" and given.get("flattened"):
            items: Any = member
            return str(items.member.serialization.get("name", given.get("name", name)))
        return str(given.get("name", name))
    if "queryName" in given:
        return str(given["queryName"])
    wire = str(given.get("name", name))
    return wire[0].upper() + wire[1:]


def _scalar(shape: Shape, text: str) -> Any:
    if shape.type_name == "boolean":
        return text.lower() == "true"
    if shape.type_name in ("integer", "long"):
        return int(text) if text.lstrip("-").isdecimal() else text
    return text
