"""The scenario files: the named ones are complete, and an error in a file is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tier1_engine.errors import Refused
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.sandbox.faults.faults import Cut, Fault
from tier1_engine.sandbox.faults.scenario import Expected, Scenario, Trait
from tier1_engine.sandbox.world import ManualAction, ManualChange

NAMES = {
    "brownout",
    "capacity",
    "capacity-everywhere",
    "deleted-by-hand",
    "expired-credentials",
    "flapping-service",
    "late-create",
    "lost-reply",
    "mount-fails",
    "permission",
    "profile-not-yet-visible",
    "quota-vpc",
    "service-never-healthy",
    "slow-mount-target",
    "spot-price",
    "stuck-eni",
    "throttled",
    "undeletable-vpc",
    "user-data-fails",
}
STORY_LEAST_CHARACTERS = 150
WHOLE = """\
title: Everything that a file can say
story: |
  Two lines
  of it.
faults:
  - operation: RunInstances
    code: Unsupported
    message: Not here.
    times: always
    after: 2
    share: 0.5
    match: {AvailabilityZone: "*a"}
  - {operation: CreateVpc, execute_late: 2m}
  - {operation: "*", cut: before, times: 3, delay: 4s}
figures: {vpc.create: 0, mount_target.create: 12m}
wrong: {mount: "fails:302", instance: "dies:Server.InternalError"}
by_hand:
  - {after: RunInstances, do: TerminateInstances, seen: 2}
then: ["sandbox fault clear", "resume {id}"]
expected: {state: failed, exit_code: 5, left: 1, code: One or Other}
otherwise:
  - {spec: one-zone, state: active, exit_code: 0}
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "my-day.yaml"
    path.write_text(text)
    return str(path)


class TestTheNamedOnes:
    def test_there_is_one_for_each_promised_name(self) -> None:
        """An added file must be named here, too."""
        assert set(scenarios.names()) == NAMES

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_each_has_events_a_source_and_an_end(self, name: str) -> None:
        """At least one thing happens in it."""
        day = scenarios.load(name)
        assert (day.name, day.path) == (name, None)
        assert day.title
        assert len(day.story) >= STORY_LEAST_CHARACTERS
        assert day.expected is not None
        assert day.faults or day.takes or day.wrong or day.by_hand

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_an_unsuccessful_end_names_its_code(self, name: str) -> None:
        """A rollback for another reason is then no success of the rehearsal."""
        day = scenarios.load(name)
        for end in (day.expected, *day.otherwise.values()):
            assert end is not None
            assert (end.exit_code == 0) == (end.state == "active") == (end.code is None)


class TestAFile:
    def test_all_of_its_keys_are_read(self, tmp_path: Path) -> None:
        """Durations have units, and a file's own path is remembered."""
        path = written(tmp_path, WHOLE)
        assert scenarios.load(path) == Scenario(
            name="my-day",
            title="Everything that a file can say",
            story="Two lines of it.",
            expected=Expected("failed", 5, 1, "One or Other"),
            otherwise={Trait.ONE_ZONE: Expected("active", 0)},
            faults=(
                Fault(
                    "RunInstances",
                    "Unsupported",
                    "Not here.",
                    times=None,
                    after=2,
                    share=0.5,
                    match={"AvailabilityZone": "*a"},
                ),
                Fault("CreateVpc", execute_late_seconds=120),
                Fault("*", cut=Cut.BEFORE, times=3, delay_seconds=4),
            ),
            takes={"vpc.create": 0, "mount_target.create": 720},
            wrong={"mount": "fails:302", "instance": "dies:Server.InternalError"},
            by_hand=(ManualChange("RunInstances", ManualAction.TERMINATE_INSTANCE, 2),),
            then=("sandbox fault clear", "resume {id}"),
            path=Path(path),
        )

    def test_its_end_depends_on_the_spec(self, tmp_path: Path) -> None:
        """The first trait that a spec has decides, else the default."""
        day = scenarios.load(written(tmp_path, WHOLE))
        assert day.expected_of(frozenset()) == day.expected
        assert day.expected_of(frozenset({Trait.ONE_ZONE, Trait.ONLY_SPOT})) == Expected("active", 0)
        assert day.expected is not None
        assert day.expected.codes == ("One", "Other")
        assert Expected("active", 0).codes == ()

    def test_its_end_is_optional(self, tmp_path: Path) -> None:
        """A sandbox can be started with it, but it cannot be rehearsed."""
        assert scenarios.load(written(tmp_path, "title: Some faults\n")).expected is None

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("title: t\nfault: []", 2, "fault is not a key of a scenario; did you mean faults"),
            ("title: t\nfaults:\n  - {operation: RunInstance}", 3, "did you mean RunInstances?"),
            ("title: t\nfaults:\n  - {operation: RunInstances, cod: X}", 3, "did you mean faults[0].code"),
            ("title: t\nfaults:\n  - {operation: CreateVpc, share: 2}", 3, "give one from 0 to 1"),
            ("title: t\nfaults:\n  - {operation: CreateVpc, delay: 3}", 3, "90s"),
            ("title: t\nfaults:\n  - {operation: CreateVpc, times: often}", 3, "times"),
            ("title: t\nfigures: {mount_targt.create: 1m}", 2, "did you mean mount_target.create"),
            ("title: t\nwrong: {mont: fails}", 2, "did you mean mount"),
            ("title: t\nwrong: {service: fails}", 2, "must be never or flaps"),
            ("title: t\nby_hand: [{after: RunInstances, do: DeleteVpc}]", 2, "must be one of"),
            ("title: t\nby_hand: [{after: Nothing, do: DeleteFileSystem}]", 2, "Nothing"),
            ("title: t\nthen: [rm -rf /]", 2, "must begin with resume"),
            ("title: t\nexpected: {state: happy, exit_code: 0}", 2, "must be one of active"),
            ("title: t\nexpected: {state: active}", 2, "expected.exit_code is missing"),
            ("title: t\notherwise: [{spec: tiny, state: active, exit_code: 0}]", 2, "one-zone"),
            ("story: s", 1, "title is missing"),
            ("title: t\ntitle: u", 2, "given twice"),
            ("- title", 1, "a scenario is a mapping"),
        ],
    )
    def test_an_error_is_reported_with_its_line(
        self, tmp_path: Path, text: str, line: int, words: str
    ) -> None:
        """The likely intention is suggested."""
        path = written(tmp_path, text + "\n")
        with pytest.raises(Refused) as error:
            scenarios.load(path)
        assert error.value.exit_code == 2
        assert str(error.value).startswith(f"{path}:{line}: ")
        assert words in str(error.value)

    def test_an_empty_one_is_no_scenario(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="the scenario is empty; it needs at least the key title"):
            scenarios.load(written(tmp_path, ""))


class TestAnUnknownName:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("capacty", "did you mean capacity?"),
            ("LOST-REPLY", "did you mean lost-reply?"),
            ("xyzzy", "there are brownout, capacity"),
        ],
    )
    def test_the_nearest_is_named(self, name: str, words: str) -> None:
        with pytest.raises(Refused, match=f"There is no scenario {name}: ") as error:
            scenarios.load(name)
        assert words in str(error.value)

    def test_what_looks_like_a_path_is_one(self, tmp_path: Path) -> None:
        """A scenario of that name makes no difference."""
        with pytest.raises(Refused, match="there is no such file"):
            scenarios.load(str(tmp_path / "capacity"))
        with pytest.raises(Refused, match="there is no such file"):
            scenarios.load("capacity.yaml")
