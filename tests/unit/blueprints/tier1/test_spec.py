"""The spec: what is accepted, what it becomes, and the message of each refusal."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tier1_engine.blueprints.tier1.parts import Network
from tier1_engine.blueprints.tier1.spec import Spec, load_spec
from tier1_engine.boot import userdata
from tier1_engine.errors import SpecError
from tier1_engine.spec import document

DATA = Path(__file__).parents[2] / "data"
EXAMPLES = Path(__file__).parents[4] / "examples"
HEAD = "name: ai-stack\nregion: us-east-1\n"

NEWER_KEYS = (
    ("efs", "kms_key_id"),
    ("efs", "iam"),
    ("instance", "kms_key_id"),
    ("instance", "permissions_boundary"),
    ("instance", "capacity_reservation_id"),
)
"""Keys that a spec stored by an earlier version lacks."""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "spec.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def spec_of(write: Write) -> Callable[[str], Spec]:
    """Build the spec of some keys in addition to the required ones."""
    return lambda text: load_spec(write(HEAD + text))


def noise(length: int) -> str:
    """A text that compresses badly."""
    blocks = (hashlib.sha512(b"%d" % n).digest() for n in range(length // 64 + 1))
    return base64.b85encode(b"".join(blocks)).decode()[:length]


def refusal(path: Path, **options: Any) -> list[str]:
    """Return the lines of the refusal, without the folder."""
    with pytest.raises(SpecError) as caught:
        load_spec(path, **options)
    assert caught.value.exit_code == 2
    lines = str(caught.value).splitlines()
    assert all(line.endswith(".") for line in lines)
    return [line.replace(f"{path.parent}/", "") for line in lines]


class TestAccepted:
    @pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
    def test_every_example_is_a_valid_spec_named_like_its_file(self, path: Path) -> None:
        """The published examples are valid."""
        assert load_spec(path).name == path.stem

    def test_the_contract_s_own_yaml_is_accepted_whole(self) -> None:
        """It is the spec printed in the contract, key by key."""
        spec = load_spec(DATA / "contract.yaml")
        assert spec.tags == {"team": "research"}
        assert spec.ttl == 72 * 3600
        assert (spec.network.cidr, spec.network.zones, spec.network.brought) == ("10.0.0.0/16", 2, False)
        assert [(rule.port_range, rule.cidr, rule.protocol) for rule in spec.network.ingress] == [
            ((443, 443), "203.0.113.0/24", "tcp")
        ]
        assert spec.efs.mount_path == "/mnt/efs"
        assert spec.instance.types == ("t3.medium", "t3a.medium")
        assert spec.instance.user_data is not None
        assert spec.instance.user_data.text == (DATA / "bootstrap.sh").read_text()
        assert [service.name for service in spec.health.services] == ["n8n", "db"]
        assert spec.policy.max_attempts == 5
        assert (spec.timeouts.network, spec.timeouts.delete) == (600, 2400)

    def test_only_name_and_region_are_required_and_the_rest_has_the_contract_s_defaults(
        self, write: Write
    ) -> None:
        """A minimal spec differs from the contract's only in what that adds."""
        full = load_spec(DATA / "contract.yaml").to_stored()
        minimal = load_spec(write(HEAD)).to_stored()
        for given_only in (("tags",), ("ttl",), ("network", "ingress"), ("instance", "user_data")):
            part: Any = full
            for key in given_only[:-1]:
                part = part[key]
            part[given_only[-1]] = {(): None, ("tags",): {}, ("network", "ingress"): []}.get(given_only)
        full["health"].update(services=[], timeout=None)
        full["timeouts"].update(health=None)
        assert minimal == full

    def test_an_empty_part_or_a_null_means_the_default(self, spec_of: Callable[[str], Spec]) -> None:
        """An example is `network:` with all its keys commented out."""
        text = "network:\nefs: {mount_path: null}\ninstance: ~\npolicy: {}\ntimeouts: {efs: }\n"
        assert spec_of(text) == spec_of("")

    def test_a_spec_is_immutable(self, spec_of: Callable[[str], Spec]) -> None:
        """Specs are values."""
        with pytest.raises(ValueError, match="frozen"):
            spec_of("").name = "other"  # type: ignore[misc]

    def test_a_name_given_as_an_option_wins_and_is_validated_too(self, write: Write) -> None:
        """`--name` replaces the file's name, also a missing or invalid one."""
        assert load_spec(write("name: A_B\nregion: us-east-1"), name="other").name == "other"
        assert load_spec(write("region: us-east-1"), name="other").name == "other"
        (line,) = refusal(write(HEAD), name="No Good")
        assert line.startswith('--name: name is "No Good", but must be 1 to 40 lower-case letters')

    @pytest.mark.parametrize("name", ["a", "ai-stack", "a1", "x" * 40, "a--b"])
    def test_valid_names(self, write: Write, name: str) -> None:
        """They have 1 to 40 lower-case letters, digits and hyphens."""
        assert load_spec(write(HEAD), name=name).name == name

    def test_a_byte_order_mark_is_ignored(self, write: Write) -> None:
        """Windows editors write one."""
        assert load_spec(write(b"\xef\xbb\xbf" + HEAD.encode())).name == "ai-stack"

    def test_yaml_1_1_surprises_stay_text(self, spec_of: Callable[[str], Spec]) -> None:
        """`no` is Norway, `1:30` is no number of minutes, and a date stays as written."""
        tags = spec_of("tags: {country: no, at: 1:30, on: yes, day: 2026-01-01}").tags
        assert tags == {"country": "no", "at": "1:30", "on": "yes", "day": "2026-01-01"}

    def test_aliases_may_repeat_a_value(self, spec_of: Callable[[str], Spec]) -> None:
        """An anchor is accepted within the bounds."""
        spec = spec_of("instance: {types: &t [t3.medium]}\ntags: {a: &x b, c: *x}")
        assert spec.tags == {"a": "b", "c": "b"}

    def test_ports_are_numbers_or_ranges_and_a_single_address_is_a_network(
        self, spec_of: Callable[[str], Spec]
    ) -> None:
        """`443`, `"443"` and `443-443` are one port; `::1` is one address."""
        rules = spec_of(
            "network:\n  ingress:\n"
            "    - {port: 443, cidr: 203.0.113.7}\n"
            "    - {port: 8000-8010, cidr: '2001:DB8::/32', protocol: udp, description: 'a (b)'}\n"
        ).network.ingress
        assert [(r.port, r.port_range, r.cidr, r.protocol, r.description) for r in rules] == [
            ("443", (443, 443), "203.0.113.7/32", "tcp", ""),
            ("8000-8010", (8000, 8010), "2001:db8::/32", "udp", "a (b)"),
        ]

    def test_referenced_resources_exclude_settings_of_new_ones(self, spec_of: Callable[[str], Spec]) -> None:
        """With a VPC of the user's there is no CIDR and no number of zones."""
        network = spec_of("network: {vpc_id: vpc-0123, subnet_ids: [subnet-0001, subnet-0002]}").network
        assert network.brought
        assert network.zone_count == 2
        assert (network.cidr, network.zones) == (None, None)

    def test_keys_boundary_and_reservation(self, spec_of: Callable[[str], Spec]) -> None:
        """A reservation makes the market on-demand; a spec stored before these keys existed has none."""
        key, boundary = "12345678-1234-1234-1234-123456789012", "arn:aws:iam::123456789012:policy/a/b"
        spec = spec_of(
            f"efs: {{kms_key_id: alias/efs, iam: true}}\ninstance: {{kms_key_id: {key}, "
            f"permissions_boundary: '{boundary}', capacity_reservation_id: cr-0123456789abcdef0}}"
        )
        assert (spec.efs.kms_key_id, spec.efs.iam, spec.instance.kms_key_id) == ("alias/efs", True, key)
        assert (spec.instance.permissions_boundary, spec.instance.market) == (boundary, "on-demand")
        assert Spec.from_stored(json.loads(json.dumps(spec.to_stored()))) == spec
        stored = spec_of("").to_stored()
        for part, name in NEWER_KEYS:
            del stored[part][name]
        assert Spec.from_stored(stored) == spec_of("")

    def test_zones_may_be_named(self, spec_of: Callable[[str], Spec]) -> None:
        """The spec may list zones of the region."""
        network = spec_of("network: {zones: [us-east-1c, us-east-1a]}").network
        assert network.zones == ("us-east-1c", "us-east-1a")
        assert network.zone_count == 2

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("", 600),
            ("health: {timeout: 30m}", 1800),
            ("timeouts: {health: 30m}", 1800),
            ("health: {timeout: 2s}\ntimeouts: {health: 30m}", 2),
            ("health: {timeout: 30m}\ntimeouts: {health: 2s}", 2),
        ],
    )
    def test_the_limit_of_a_check_is_the_shorter_of_those_given(
        self, spec_of: Callable[[str], Spec], text: str, seconds: float
    ) -> None:
        """`health.timeout` and `timeouts.health` both bound a check."""
        spec = spec_of(text)
        assert spec.health_seconds == seconds
        assert Spec.from_stored(spec.to_stored()).health_seconds == seconds


class TestStored:
    @pytest.mark.parametrize(
        "path", [DATA / "contract.yaml", *sorted(EXAMPLES.glob("*.yaml"))], ids=lambda p: p.name
    )
    def test_a_spec_survives_the_database(self, path: Path) -> None:
        """Stored as JSON and read again it is equal; the file is not read again."""
        spec = load_spec(path)
        stored = json.loads(json.dumps(spec.to_stored(), allow_nan=False))
        assert Spec.from_stored(stored) == spec

    def test_the_script_is_included_with_its_sha_256(self) -> None:
        """Resume needs no file, and only the hash is shown."""
        stored = load_spec(DATA / "contract.yaml").to_stored()["instance"]["user_data"]
        content = (DATA / "bootstrap.sh").read_bytes()
        assert stored == {
            "path": "./bootstrap.sh",
            "sha256": hashlib.sha256(content).hexdigest(),
            "text": content.decode(),
        }

    def test_the_script_is_in_no_repr(self) -> None:
        """Secrets in user data are never printed."""
        assert "s3cr3t" in (DATA / "bootstrap.sh").read_text()
        assert "s3cr3t" not in repr(load_spec(DATA / "contract.yaml"))

    def test_a_stored_spec_of_another_version_is_refused_with_a_message(
        self, spec_of: Callable[[str], Spec]
    ) -> None:
        """It has a key that this version does not know."""
        stored = {**spec_of("").to_stored(), "colour": "red"}
        with pytest.raises(
            SpecError, match=r"^The stored spec cannot be read by this version of tier1: colour is"
        ):
            Spec.from_stored(stored)

    def test_a_stored_spec_that_is_not_json_is_refused_with_a_message(
        self, spec_of: Callable[[str], Spec]
    ) -> None:
        """It has a key that is not text, written by another program."""
        with pytest.raises(SpecError, match=r"tags.* must be text"):
            Spec.from_stored({**spec_of("").to_stored(), "tags": {5: "x"}})


class TestRefusedFiles:
    def test_missing(self, tmp_path: Path) -> None:
        """There is no file of that name."""
        assert refusal(tmp_path / "none.yaml") == ["none.yaml: there is no such file; check the path."]

    def test_a_directory(self, tmp_path: Path) -> None:
        """There is a folder instead of a file."""
        (tmp_path / "folder").mkdir()
        assert refusal(tmp_path / "folder") == ["folder: this is a directory; give a file."]

    def test_a_named_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        """Opening it would wait for a writer for ever."""
        os.mkfifo(tmp_path / "pipe")
        assert refusal(tmp_path / "pipe") == ["pipe: this is not a regular file; give one."]

    def test_a_path_through_a_file(self, write: Write) -> None:
        """The message is that of the operating system."""
        assert "cannot be read: Not a directory" in refusal(write(HEAD) / "x")[0]

    def test_a_path_with_nul(self) -> None:
        """Such a path is invalid."""
        with pytest.raises(SpecError, match="the path cannot be used"):
            load_spec(Path("a\0b"))

    @pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null", "~\n"])
    def test_empty(self, write: Write, text: str) -> None:
        """It has no content, or only comments."""
        assert refusal(write(text)) == [
            "spec.yaml: the spec is empty; it needs at least the keys name and region."
        ]

    def test_not_utf_8(self, write: Write) -> None:
        """The line of the first invalid byte is named."""
        assert refusal(write(b"name: a\nregion: \xff\xfe\n")) == [
            "spec.yaml:2: the file is not UTF-8 text; save it as UTF-8."
        ]

    def test_ten_megabytes_are_not_read(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """At most one byte over the limit is read."""
        path = write(b"#" * 10_000_000)
        read: list[int] = []

        class Counting(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                read.append(-1 if size is None else size)
                return super().read(-1 if size is None else size) or b""

        def open_counting(path: Path, mode: str) -> Counting:
            return Counting(path, mode)

        monkeypatch.setattr(Path, "open", open_counting)
        assert refusal(path) == ["spec.yaml: the file is larger than 1048576 bytes, the most that is read."]
        assert read == [document.MAX_BYTES + 1]

    @pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
    def test_deeply_nested(self, write: Write, opening: str) -> None:
        """A hundred thousand levels end at the bound, without a RecursionError."""
        (line,) = refusal(write(f"name: {opening * 100_000}" if opening != "- " else opening * 100_000))
        assert "nested deeper than 20 levels" in line

    def test_an_alias_bomb(self, write: Write) -> None:
        """A billion laughs is small in the file and huge once aliases are followed."""
        laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
        (line,) = refusal(write(f"a0: &a0 [lol]\n{laughs}\n"))
        assert "aliases (*name) expand this spec to" in line

    def test_an_alias_to_itself(self, write: Write) -> None:
        """A circle of aliases is not followed for ever."""
        assert "aliases (*name) expand this spec to" in refusal(write("a: &a [*a]\n"))[0]

    def test_too_many_values(self, write: Write) -> None:
        """The number of values has a bound."""
        assert "more than 10000 values" in refusal(write("a: [" + "1," * 20_000 + "]"))[0]

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("name: [a\nregion: b", "spec.yaml:2: this is not valid YAML: expected ',' or ']', but got ':'."),
            ("name: a\n\tregion: b", "spec.yaml:2: this is not valid YAML: found character"),
            ("name: *nobody", "spec.yaml:1: this is not valid YAML: found undefined alias"),
            ("name: a\nregion: \x07", "spec.yaml:2: the character U+0007 is not allowed in YAML."),
            ("name: a\n---\nname: b", "spec.yaml:2: a second document begins here; a spec file holds one."),
            ("- a\n- b", "spec.yaml:1: a spec is a mapping of keys to values, such as `name: ai-stack`."),
            ("just text", "spec.yaml:1: a spec is a mapping of keys to values, such as `name: ai-stack`."),
        ],
    )
    def test_a_file_that_is_no_spec(self, write: Write, text: str, line: str) -> None:
        """The message is one sentence with the line."""
        (only,) = refusal(write(text))
        assert only.startswith(line)

    @pytest.mark.parametrize(
        "value",
        [
            "!!python/object/apply:os.system ['touch %s']",
            "!!python/name:os.system",
            "!!binary aGk=",
            "!!set {a}",
            "!custom x",
            "!!int x",
            "!!bool x",
            "!!timestamp 2026-01-01",
        ],
    )
    def test_yaml_tags_construct_nothing(self, write: Write, tmp_path: Path, value: str) -> None:
        """A tag is refused by name, and nothing is run."""
        made = tmp_path / "made"
        (line,) = refusal(write(f"region: us-east-1\nname: {value.replace('%s', str(made))}\n"))
        assert line.startswith("spec.yaml:2: name has the YAML tag !")
        assert line.endswith("which is not allowed; remove the tag.")
        assert not made.exists()

    def test_a_tag_of_a_plain_type_is_accepted(self, write: Write) -> None:
        """`!!str 1` is text."""
        assert load_spec(write(f"{HEAD}tags: {{a: !!str 1}}")).tags == {"a": "1"}

    def test_duplicate_keys_are_named_with_both_lines(self, write: Write) -> None:
        """They are found at every level, and the rest is validated all the same."""
        text = "name: a\nregion: us-east-1\nname: b\nefs:\n  mount_path: /a\n  mount_path: /b\nttl: 1w\n"
        assert refusal(write(text)) == [
            "spec.yaml:3: name is given twice, first on line 1; remove one of them.",
            "spec.yaml:6: efs.mount_path is given twice, first on line 5; remove one of them.",
            'spec.yaml:7: ttl is "1w", but must be a whole number with a unit, such as 90s, 10m, 72h or 3d.',
        ]

    def test_keys_must_be_text(self, write: Write) -> None:
        """Numbers, lists and nulls are refused as keys."""
        assert refusal(write(f"{HEAD}1: a\nefs: {{[a]: b}}\ntags: {{~: b}}\n")) == [
            "spec.yaml:3: The spec has a key that is not text; put it in quotes.",
            "spec.yaml:4: efs has a key that is not text; put it in quotes.",
            "spec.yaml:5: tags has a key that is not text; put it in quotes.",
        ]


BAD_VALUES = [
    ("name: Ai", 'name is "Ai", but must be 1 to 40 lower-case letters, digits and hyphens'),
    ("name: 5", "name is 5, but must be text; put it in quotes."),
    ("name: a-", "but must be 1 to 40"),
    ("name: " + "a" * 41, "but must be 1 to 40"),
    (
        "region: us-east-9",
        'is "us-east-9", but must be a region that the installed botocore knows; did you mean us-east-',
    ),
    ("region: us_east_1", "must be the name of an AWS region; did you mean us-east-1."),
    ("region: 42", "region is 42, but must be text"),
    ("region: zzzzzzzz", "must be the name of an AWS region, such as us-east-1."),
    ("region: aws-global", "must be the name of an AWS region"),
    ("tags: [a]", "tags must be a mapping of keys to values."),
    ("tags: {a: 5}", "tags.a must be text; put the value in quotes."),
    ("tags: {a: null}", "tags.a must be text"),
    ("tags: {'aws:a': b}", "tags.aws:a begins with aws: or tier1:"),
    ("tags: {'AWS:a': b}", "tags.AWS:a begins with aws: or tier1:"),
    ("tags: {'Tier1:a': b}", "tags.Tier1:a begins with aws: or tier1:"),
    ("tags: {Name: b}", "tags.Name is a tag that tier1 sets itself"),
    ("tags: {'': b}", "must have a key of 1 to 128 characters"),
    (f"tags: {{{'k' * 129}: b}}", "must have a key of 1 to 128 characters"),
    (f"tags: {{a: {'v' * 257}}}", "tags.a has 257 characters, but may have at most 256"),
    ("tags: {a: 'x<y>'}", "tags.a may have only letters, digits, spaces and _ . : / = + - @"),
    ("tags: {" + ", ".join(f"k{n}: v" for n in range(46)) + "}", "tags has 46 tags, but may have 45"),
    ("ttl: 90", "ttl is 90, but must be a whole number with a unit"),
    ("ttl: 0s", "must be more than 0s and at most 365d"),
    ("ttl: 366d", "must be more than 0s and at most 365d"),
    ("ttl: 99999999999d", "must be more than 0s and at most 365d"),
    ("ttl: -1h", "must be a whole number with a unit"),
    ("ttl: true", "ttl is true, but must be a whole number with a unit"),
    ("ttl: .inf", "must be a whole number with a unit"),
    ("network: 5", "network is 5, but must be a mapping of keys to values."),
    ("network: {cidr: 10.0.0.0/15}", "must be from a /16 to a /28"),
    ("network: {cidr: 10.0.0.0/29}", "must be from a /16 to a /28"),
    ("network: {cidr: 10.0.0.0}", "must be from a /16 to a /28"),
    ("network: {cidr: 10.0.0.1/16}", "must be an IPv4 network; did you mean 10.0.0.0/16."),
    ("network: {cidr: 'fd00::/16'}", "must be an IPv4 network, such as 10.0.0.0/16."),
    ("network: {cidr: ten}", "must be an IPv4 network, such as 10.0.0.0/16."),
    ("network: {cidr: 127.0.0.0/16}", "must be addresses that hosts can use"),
    ("network: {cidr: 0.0.0.0/16}", "must be addresses that hosts can use"),
    ("network: {cidr: 224.0.0.0/16}", "must be addresses that hosts can use"),
    (
        "network: {cidr: 10.0.0.0/28}",
        "network.cidr has room for 1 of the smallest subnets (/28), and 2 zones need 2",
    ),
    ("network: {cidr: 10.0.0.0/27, zones: 3}", "has room for 2 of the smallest subnets"),
    ("network: {zones: 0}", "network.zones is 0, but must be a number from 1 to 6, or a list of zone names."),
    ("network: {zones: 7}", "must be a number from 1 to 6"),
    ("network: {zones: true}", "must be a number from 1 to 6"),
    ("network: {zones: []}", "network.zones must list from 1 to 6 zones."),
    ("network: {zones: [1]}", "must be a number from 1 to 6, or a list of zone names"),
    ("network: {zones: [us-east-1a, us-east-1a]}", "network.zones must not name a zone twice."),
    (
        "network: {zones: [us-east-1a, us-west-2a]}",
        "network.zones[1] is us-west-2a, which is not a zone of us-east-1",
    ),
    (
        "network: {zones: [us-east-1-bos-1a]}",
        "network.zones[0] is us-east-1-bos-1a, which is not a zone of us-east-1",
    ),
    ("network: {vpc_id: vpc-0123}", "network.subnet_ids is missing, but network.vpc_id requires it"),
    ("network: {subnet_ids: [subnet-0123]}", "network.vpc_id is missing, but network.subnet_ids requires it"),
    (
        "network: {vpc_id: vpc-0123, subnet_ids: [subnet-0123], cidr: 10.0.0.0/16}",
        "network.cidr cannot be combined with your own VPC",
    ),
    (
        "network: {vpc_id: vpc-0123, subnet_ids: [subnet-0123], zones: 2}",
        "network.zones cannot be combined with your own VPC",
    ),
    (
        "network: {vpc_id: vpc-0123, subnet_ids: []}",
        "network.subnet_ids has 0 entries, but must have from 1 to 20.",
    ),
    (
        "network: {vpc_id: vpc-0123, subnet_ids: [subnet-0001, subnet-0001]}",
        "network.subnet_ids[1] repeats subnet [0]",
    ),
    (
        "network: {vpc_id: igw-0123, subnet_ids: [subnet-0001]}",
        "must be an id such as vpc-0123456789abcdef0.",
    ),
    (
        "network: {vpc_id: vpc-0123, subnet_ids: [x]}",
        'network.subnet_ids[0] is "x", but must be an id such as subnet-',
    ),
    ("network: {ingress: {port: 1}}", "network.ingress must be a list."),
    (
        "network: {ingress: [{port: 0, cidr: 10.0.0.0/8}]}",
        "network.ingress[0].port is 0, but must be a port from 1 to 65535",
    ),
    ("network: {ingress: [{port: 65536, cidr: 10.0.0.0/8}]}", "must be a port from 1 to 65535"),
    ("network: {ingress: [{port: 9-8, cidr: 10.0.0.0/8}]}", "must be a port from 1 to 65535"),
    ("network: {ingress: [{port: -1, cidr: 10.0.0.0/8}]}", "must be a port such as 443"),
    ("network: {ingress: [{port: http, cidr: 10.0.0.0/8}]}", "must be a port such as 443"),
    ("network: {ingress: [{port: true, cidr: 10.0.0.0/8}]}", "must be a port such as 443"),
    ("network: {ingress: [{port: 443}]}", "network.ingress[0].cidr is missing; add it."),
    ("network: {ingress: [{port: 443, cidr: 203.0.113.5/24}]}", "did you mean 203.0.113.0/24."),
    ("network: {ingress: [{port: 443, cidr: everyone}]}", "must be an IPv4 or IPv6 network"),
    ("network: {ingress: [{port: 1, cidr: 10.0.0.0/8, protocol: icmp}]}", "must be one of tcp, udp."),
    (
        "network: {ingress: [{port: 1, cidr: 10.0.0.0/8, description: 'ü'}]}",
        "must be at most 255 of the characters",
    ),
    (
        "network: {ingress: [{port: 1, cidr: 10.0.0.0/8}, {port: 1-1, cidr: 10.0.0.0/8, description: x}]}",
        "network.ingress[1] repeats rule [0]; remove one of them.",
    ),
    ("efs: {file_system_id: x}", "must be an id such as fs-0123456789abcdef0."),
    ("efs: {performance_mode: fast}", "must be one of generalPurpose, maxIO."),
    (
        "efs: {performance_mode: maxIO}",
        "efs.performance_mode cannot be maxIO with elastic throughput; set bursting.",
    ),
    ("efs: {throughput_mode: provisioned}", "must be one of elastic, bursting."),
    ("efs: {mount_path: mnt/efs}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: /mnt/../etc}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: '/mnt/a b'}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: '/mnt/$(id)'}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: /mnt/efs/}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: /}", "must be an absolute path such as /mnt/efs"),
    ("efs: {mount_path: /etc}", "must be a directory that the system does not use"),
    ("efs: {mount_path: /dev/shm}", "must be a directory that the system does not use"),
    ("instance: {types: []}", "instance.types has 0 entries, but must have from 1 to 20."),
    ("instance: {types: t3.medium}", 'instance.types is "t3.medium", but must be a list.'),
    ("instance: {types: [t3]}", "must be an instance type such as t3.medium."),
    ("instance: {types: [t3.medium, t3.medium]}", "instance.types[1] repeats instance type [0]"),
    ("instance: {market: cheap}", "must be one of on-demand, spot, spot-then-on-demand."),
    ("instance: {ami: ubuntu}", "must be an id such as ami-0123abcd, or ssm:/path."),
    ("instance: {key_name: ' '}", "must be the name of a key pair."),
    ("instance: {root_volume_gib: 7}", "must be from 8 to 16384."),
    ("instance: {root_volume_gib: 16385}", "must be from 8 to 16384."),
    ("instance: {root_volume_gib: 8.5}", "instance.root_volume_gib is 8.5, but must be a whole number."),
    ("instance: {root_volume_gib: true}", "must be a whole number."),
    ("instance: {iam_profile: 'arn:aws:iam::123456789012:instance-profile/x'}", "must be the name (not ARN)"),
    ("efs: {kms_key_id: mine}", "must be the id, the alias (alias/NAME) or the ARN of a KMS key."),
    (
        "efs: {kms_key_id: alias/efs, file_system_id: fs-0123}",
        "efs.kms_key_id cannot be combined with efs.file_system_id, which has its key; remove it.",
    ),
    (
        "efs: {kms_key_id: 'arn:aws:kms:us-east-2:123456789012:alias/efs'}",
        "efs.kms_key_id is a key of us-east-2, but must be one of us-east-1.",
    ),
    ("efs: {iam: 'on'}", "must be true or false."),
    ("instance: {kms_key_id: 0123}", "must be text"),
    (
        "instance: {kms_key_id: 'arn:aws:kms:eu-west-1:123456789012:key/mrk-" + 4 * "01234567" + "'}",
        "instance.kms_key_id is a key of eu-west-1, but must be one of us-east-1.",
    ),
    ("instance: {permissions_boundary: mine}", "must be the ARN of an IAM policy, such as arn:aws:iam::"),
    (
        "instance: {permissions_boundary: 'arn:aws-cn:iam::123456789012:policy/b'}",
        "instance.permissions_boundary must begin with arn:aws:iam, as policies for us-east-1 do.",
    ),
    (
        "instance: {permissions_boundary: 'arn:aws:iam::123456789012:policy/b', iam_profile: p}",
        "instance.permissions_boundary is for the role that tier1 creates, but instance.iam_profile has",
    ),
    ("instance: {capacity_reservation_id: mine}", "must be an id such as cr-0123456789abcdef0."),
    (
        "instance: {capacity_reservation_id: cr-0123, market: spot}",
        "instance.market is spot, but a capacity reservation is for on-demand instances; set on-demand.",
    ),
    ("instance: {user_data: [a]}", "instance.user_data must be the path of a script."),
    (
        "instance: {user_data: {text: a, path: b, sha256: c}}",
        "instance.user_data must be the path of a script.",
    ),
    ("instance: {user_data: ''}", "must be the path of a script."),
    ("health: {timeout: 0m}", "must be more than 0s"),
    ("health: {instance_status: yes}", 'health.instance_status is "yes", but must be true or false.'),
    ("health: {mount_check: guess}", "must be one of console, ssm, none."),
    ("health: {services: [{url: 'http://a'}]}", "health.services[0].name is missing; add it."),
    ("health: {services: [{name: a}]}", "health.services[0] must have exactly one of url and tcp."),
    ("health: {services: [{name: a, url: 'http://a', tcp: 'a:1'}]}", "must have exactly one of url and tcp."),
    ("health: {services: [{name: 'a b', tcp: 'a:1'}]}", "must be 1 to 40 letters, digits and . _ -."),
    (
        "health: {services: [{name: a, tcp: 'a:1'}, {name: a, tcp: 'a:2'}]}",
        "health.services[1] repeats the name of service [0]",
    ),
    ("health: {services: [{name: a, url: 'ftp://a'}]}", "must be an http or https URL"),
    ("health: {services: [{name: a, url: 'http://'}]}", "must be an http or https URL"),
    ("health: {services: [{name: a, url: 'http://a:99999/'}]}", "must be an http or https URL"),
    ("health: {services: [{name: a, url: 'http://[a/'}]}", "must be an http or https URL"),
    ("health: {services: [{name: a, url: 'http://{host}/'}]}", "and {public_ip} or {private_ip} in braces."),
    ("health: {services: [{name: a, url: 'http://a/b c'}]}", "may hold only printable ASCII without spaces"),
    ("health: {services: [{name: a, tcp: '{private_ip}'}]}", "must be host:port, such as {private_ip}:5432."),
    ("health: {services: [{name: a, tcp: '{private_ip}:0'}]}", "with a port from 1 to 65535"),
    ("health: {services: [{name: a, tcp: 'a:99999'}]}", "with a port from 1 to 65535"),
    ("policy: {max_attempts: 0}", "policy.max_attempts is 0, but must be from 1 to 20."),
    ("policy: {max_attempts: 21}", "must be from 1 to 20."),
    ("policy: {on_recoverable: hope}", "must be one of ask, stop, retry, continue, rollback."),
    ("policy: {rollback: 1}", "policy.rollback is 1, but must be true or false."),
    ("timeouts: {efs: forever}", "must be a whole number with a unit"),
]

UNKNOWN_KEYS = [
    ("netwrok: {}", "netwrok is not a key of a spec; did you mean network."),
    ("network: {zone: 2}", "network.zone is not a key of a spec; did you mean network.zones."),
    ("network: {ingress: [{ports: 1, port: 1, cidr: 10.0.0.0/8}]}", "did you mean network.ingress[0].port."),
    ("cidr: 10.0.0.0/16", "cidr is not a key of a spec; did you mean network.cidr."),
    ("foo: null", "foo is not a key of a spec; the nearest valid key is "),
    ("health: {services: [{name: a, tcp: 'a:1', uri: x}]}", "did you mean health.services[0].url."),
    ("<<: {name: b}", "<< is not a key of a spec"),
]


class TestRefusedValues:
    @pytest.mark.parametrize(("text", "sentence"), BAD_VALUES)
    def test_an_invalid_value_is_named_with_what_is_allowed(
        self, write: Write, text: str, sentence: str
    ) -> None:
        """One sentence has file, line, key path, the problem and what is allowed."""
        rest = "".join(
            line for line in HEAD.splitlines(True) if not text.startswith(line.split(":")[0] + ":")
        )
        lines = refusal(write(f"{rest}{text}\n"))
        assert len(lines) == 1
        assert lines[0].startswith(f"spec.yaml:{rest.count(chr(10)) + 1}: {text.split(':')[0]}")
        assert sentence in lines[0]

    @pytest.mark.parametrize(("text", "sentence"), UNKNOWN_KEYS)
    def test_an_unknown_key_names_the_nearest_one(self, write: Write, text: str, sentence: str) -> None:
        """Keys of the same level come first, then the same name elsewhere."""
        (line,) = refusal(write(f"{HEAD}{text}\n"))
        assert line.startswith("spec.yaml:3: ")
        assert sentence in line

    def test_all_problems_are_reported_at_once_each_with_its_line(self, write: Write) -> None:
        """The operator can fix the file in one pass."""
        text = "name: A\nregion: mars\nefs:\n  mount_path: x\n\nttl: 1\n"
        text += "network:\n  ingress:\n    - port: 0\n      cidr: x\n"
        lines = refusal(write(text))
        assert [line.split(": ")[0] for line in lines] == [
            f"spec.yaml:{line}" for line in (1, 2, 4, 6, 9, 10)
        ]

    def test_tags_that_differ_only_in_case_are_both_named(self, write: Write) -> None:
        """IAM does not distinguish them."""
        assert refusal(write(f"{HEAD}tags: {{team: a, Team: b}}")) == [
            "spec.yaml:3: tags.Team differs from another key only in case; remove one.",
            "spec.yaml:3: tags.team differs from another key only in case; remove one.",
        ]

    def test_what_is_missing_is_reported(self, write: Write) -> None:
        """Two keys are required."""
        assert refusal(write("tags: {}")) == [
            "spec.yaml:1: name is missing; add it.",
            "spec.yaml:1: region is missing; add it.",
        ]

    def test_long_and_strange_values_are_shortened_and_escaped(self, write: Write) -> None:
        """A refusal stays a line that a terminal can show."""
        (line,) = refusal(write(f'{HEAD}instance: {{market: "{"x" * 500}"}}'))
        assert f'"{"x" * 60}..."' in line
        (line,) = refusal(write(f'{HEAD}instance: {{market: "a\\e[2Jb\\n"}}'))
        assert '"a\\x1b[2Jb\\n"' in line

    def test_a_long_key_and_many_problems_are_cut_short(self, write: Write) -> None:
        """A refusal is readable whatever the file contains."""
        (line,) = refusal(write(f"{HEAD}{'k' * 900}: 1"))
        assert len(line) < 600
        lines = refusal(write(HEAD + "".join(f"key{n}: 1\n" for n in range(60))))
        assert len(lines) == 51
        assert lines[-1] == "spec.yaml: there are 10 more problems."

    def test_a_strange_key_is_escaped_too(self, write: Write) -> None:
        """A key may contain a line end; the refusal stays one line."""
        (line,) = refusal(write(f'{HEAD}"a\\nb\\e[2J": 1'))
        assert "a\\nb\\x1b[2J is not a key" in line


class TestUserData:
    def test_a_path_is_relative_to_the_spec_or_absolute(self, write: Write, tmp_path: Path) -> None:
        """The current folder does not matter."""
        (tmp_path / "sub").mkdir()
        script = write("echo hi\n", "sub/run.sh")
        for path in ("sub/run.sh", "./sub/run.sh", script):
            spec = load_spec(write(f"{HEAD}instance: {{user_data: {path}}}"))
            assert spec.instance.user_data is not None
            assert spec.instance.user_data.text == "echo hi\n"

    def test_line_ends_of_the_script_are_kept(self, write: Write) -> None:
        """The script is sent as it was written."""
        write(b"echo a\r\necho b", "run.sh")
        spec = load_spec(write(f"{HEAD}instance: {{user_data: run.sh}}"))
        assert spec.instance.user_data is not None
        assert spec.instance.user_data.text == "echo a\r\necho b"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (None, "instance.user_data cannot be used: run.sh: there is no such file; check the path."),
            (b"\xff", "cannot be used: run.sh:1: the file is not UTF-8 text; save it as UTF-8."),
            (b"a\0b", "must be a text file; this one has NUL characters."),
            (b"#!/bin/sh\r\nls\r\n", "must have Unix line endings"),
            (b"x" * 2_000_000, "cannot be used: run.sh: the file is larger than 1048576 bytes"),
        ],
    )
    def test_a_script_that_cannot_be_used_is_refused(
        self, write: Write, content: bytes | None, sentence: str
    ) -> None:
        """It is missing, not text, or for another system."""
        if content is not None:
            write(content, "run.sh")
        (line,) = refusal(write(f"{HEAD}instance:\n  user_data: run.sh"))
        assert line.startswith("spec.yaml:4: instance.user_data")
        assert sentence in line

    def test_user_data_may_take_16_kib_as_sent(self, write: Write) -> None:
        """A script that does not fit is compressed; its size is judged with the longest ids and addresses."""
        spec = write(f"{HEAD}instance: {{user_data: run.sh}}")
        write("x" * 20_000, "run.sh")
        load_spec(spec)
        write(noise(15_000), "run.sh")
        load_spec(spec)
        write(noise(20_000), "run.sh")
        (line,) = refusal(spec)
        size = userdata.largest_bytes(noise(20_000), mount_path="/mnt/efs", region="us-east-1", zones=2)
        assert f"is a script of 20000 bytes, which makes {size} bytes of compressed user data" in line
        assert "but EC2 allows 16384; shorten it, or let it download the rest." in line

    def test_is_validated_even_if_another_part_is_invalid(self, write: Write) -> None:
        """Both problems are reported."""
        write(noise(20_000), "run.sh")
        lines = refusal(
            write(f"{HEAD}network: {{zones: 9}}\nefs: {{mount_path: x}}\ninstance: {{user_data: run.sh}}")
        )
        assert len(lines) == 3


def test_botocore_itself_is_not_imported() -> None:
    """A dry run asks nothing of AWS and should start fast."""
    program = (
        "import sys; from pathlib import Path; from tier1_engine.blueprints.tier1.spec import load_spec;"
        f"load_spec(Path({str(DATA / 'contract.yaml')!r})); assert 'botocore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_network_with_defaults_is_the_documented_one() -> None:
    """A network made in code has the same defaults as one from a file."""
    network = Network.model_validate({})
    assert (network.cidr, network.zones) == ("10.0.0.0/16", 2)
