"""The user data is really run by bash, with stub commands on a PATH that contains nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tier1_engine.boot import userdata

RUN_SECONDS = 30
REAL = ("base64", "cat", "chmod", "env", "grep", "gzip", "mkdir", "mktemp", "rm", "timeout", "touch")
TARGETS = {"us-east-1a": "10.0.0.5", "us-east-1b": "10.0.16.7"}
STUB = """#!/bin/bash
printf '%s\\n' "{name} $*" >>"$STATE/calls"
{body}
"""
MOUNTS = 'touch "$STATE/mounted"'
ARRIVES = 'cat "$0" >"${{0%/*}}/{0}"; chmod +x "${{0%/*}}/{0}"'
"""The body of a stub that installs another command, as a package does."""
LONG_SCRIPT = "".join(
    f": install {hashlib.sha256(b'%d' % n).hexdigest()[:8]} --into /opt/tools/{n} --quiet\n"
    for n in range(800)
)
STUBS: Mapping[str, str] = {
    "mount": MOUNTS,
    "mountpoint": 'test -e "$STATE/mounted"',
    "mount.efs": "",
    "sleep": "",
    "curl": 'case "$*" in *api/token*) echo TOKEN;; *TOKEN*zone*) echo us-east-1b;; *) exit 22;; esac',
}


@dataclass(frozen=True)
class Ran:
    """The result of one run. `marks` are the console lines that are not empty."""

    status: int
    marks: list[str]
    calls: list[str]
    output: str
    fstab: str
    left_over: list[str]


class Machine:
    """A machine with only what a test installs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mount_path = folder / "mnt" / "efs"
        self.bin = folder / "bin"
        for part in ("bin", "etc", "var/lib", "var/lib/dpkg", "var/lib/apt/lists"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for name in REAL:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        (self.bin / "python3").symlink_to(sys.executable)
        for name, body in STUBS.items():
            self.stub(name, body)

    def stub(self, name: str, body: str = "") -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(STUB.format(name=name, body=body))
        (self.bin / name).chmod(0o755)

    def without(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def run(self, script: str | None, targets: Mapping[str, str] = TARGETS, **settings: Any) -> Ran:
        text = userdata.render(
            script=script,
            file_system_id="fs-0123",
            mount_path=str(self.mount_path),
            region="us-east-1",
            mount_targets=targets,
            **settings,
        )
        program = self.folder / "user-data"
        program.write_text(text)
        environ = {
            "PATH": str(self.bin),
            "TIER1_ROOT": str(self.folder),
            "TIER1_CONSOLE": str(self.folder / "console"),
            "STATE": str(self.folder),
        }
        done = subprocess.run(
            ["/bin/bash", str(program)],
            env=environ,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return Ran(
            done.returncode,
            [line for line in self._read("console").splitlines() if line],
            self._read("calls").splitlines(),
            done.stdout + done.stderr,
            self._read("etc/fstab"),
            sorted(path.name for path in (self.folder / "var/lib").glob("tier1.*")),
        )

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def calls_of(ran: Ran, command: str) -> list[str]:
    return [call for call in ran.calls if call.split()[0] == command]


class TestMount:
    def test_mounts_with_tls_by_the_file_system_s_name_and_then_runs_the_script(
        self, machine: Machine
    ) -> None:
        """With the helper there is TLS, the file system's own name, one fstab entry, and marks from begin to
        ready.
        """
        ran = machine.run('#!/bin/bash\necho "$AWS_DEFAULT_REGION" >"$STATE/ran"\n')
        assert ran.marks == ["tier1: begin", "tier1: mounted", "tier1: ready"]
        assert ran.status == 0
        assert calls_of(ran, "mount") == [f"mount -t efs -o tls,_netdev fs-0123:/ {machine.mount_path}"]
        assert ran.fstab == f"fs-0123:/ {machine.mount_path} efs tls,_netdev,nofail 0 0\n"
        assert (machine.folder / "ran").read_text() == "us-east-1\n"

    @pytest.mark.field_case(
        "kubernetes-sigs/aws-efs-csi-driver#280: a file system's policy demands IAM, and refuses the mount"
    )
    def test_mounts_with_the_profile_s_identity_only_where_the_helper_is(self, machine: Machine) -> None:
        """The option `iam` is the helper's; the kernel's NFS client would refuse it."""
        ran = machine.run(None, iam=True)
        assert calls_of(ran, "mount") == [f"mount -t efs -o tls,iam,_netdev fs-0123:/ {machine.mount_path}"]
        assert ran.fstab == f"fs-0123:/ {machine.mount_path} efs tls,iam,_netdev,nofail 0 0\n"
        (machine.folder / "mounted").unlink()
        machine.without("mount.efs")
        machine.stub("dnf", "exit 1")
        machine.stub("mount.nfs4")
        assert "iam" not in calls_of(machine.run(None, iam=True), "mount")[-1]

    def test_without_a_script_it_is_ready_once_mounted(self, machine: Machine) -> None:
        """A spec without user data ends with ready."""
        assert machine.run(None).marks == ["tier1: begin", "tier1: mounted", "tier1: ready"]

    def test_installs_the_helper_where_it_is_missing(self, machine: Machine) -> None:
        """The package installs the helper, and the mount then uses it."""
        machine.without("mount.efs")
        machine.stub("dnf", ARRIVES.format("mount.efs"))
        ran = machine.run(None)
        assert calls_of(ran, "dnf") == ["dnf -y -q install amazon-efs-utils"]
        assert "mount -t efs" in calls_of(ran, "mount")[0]
        assert ran.marks[-1] == "tier1: ready"

    def test_falls_back_to_nfs_by_the_address_of_its_own_zone(self, machine: Machine) -> None:
        """Without a helper it uses plain NFS 4.1 to the mount target of the zone that IMDSv2 names."""
        machine.without("mount.efs")
        machine.stub("yum", "exit 1")
        machine.stub("mount.nfs4")
        ran = machine.run(None)
        (mount,) = calls_of(ran, "mount")
        assert mount.startswith("mount -t nfs4 -o nfsvers=4.1,")
        assert f"10.0.16.7:/ {machine.mount_path}" in mount
        assert f"10.0.16.7:/ {machine.mount_path} nfs4 nfsvers=4.1," in ran.fstab
        assert "_netdev,nofail" in ran.fstab
        assert ran.marks == ["tier1: begin", "tier1: mounted", "tier1: ready"]

    def test_reads_the_metadata_service_with_a_token_only(self, machine: Machine) -> None:
        """IMDSv2: a token by PUT first, then the zone with it, both with time-outs."""
        ran = machine.run(None)
        first, second = calls_of(ran, "curl")
        assert "-m 5 -X PUT" in first
        assert "-m 5" in second
        assert "X-aws-ec2-metadata-token: TOKEN" in second

    @pytest.mark.parametrize("curl", ["exit 28", "echo us-east-1z"])
    def test_uses_any_mount_target_if_its_zone_is_unknown(self, machine: Machine, curl: str) -> None:
        """The metadata service does not answer, or the zone has no mount target: the first one is used."""
        machine.without("mount.efs")
        machine.stub("mount.nfs4")
        machine.stub("curl", curl)
        assert " 10.0.0.5:/ " in calls_of(machine.run(None), "mount")[0]

    def test_waits_for_the_name_and_then_tries_the_address_with_tls(self, machine: Machine) -> None:
        """The name may resolve 90 s late, and in a VPC without DNS names never does: TLS stays on."""
        machine.stub("mount", f'case "$*" in *mounttargetip*) {MOUNTS};; *) exit 1;; esac')
        ran = machine.run(None)
        mounts = calls_of(ran, "mount")
        assert len(mounts) == 14
        assert all("-t efs -o tls," in call for call in mounts)
        assert mounts[-1].split()[4] == "tls,_netdev,mounttargetip=10.0.16.7"
        assert len(calls_of(ran, "sleep")) == 13

    @pytest.mark.field_case("a replaced script: a mount that failed was never noticed")
    def test_a_mount_that_fails_is_reported_and_the_script_does_not_run(self, machine: Machine) -> None:
        """A failed mount is noticed after bounded attempts, with no `mounted` and no script."""
        machine.stub("mount", "exit 32")
        ran = machine.run('touch "$STATE/ran"')
        assert ran.marks == ["tier1: begin", "tier1: user-data-failed 302"]
        assert len(calls_of(ran, "mount")) == 30
        assert not (machine.folder / "ran").exists()
        assert ran.status == 1
        assert ran.fstab == ""

    @pytest.mark.field_case("a replaced script: the check of the mount said yes by default")
    def test_a_mount_that_reports_false_success_is_noticed(self, machine: Machine) -> None:
        """`mount` succeeds, but the kernel shows no mount."""
        machine.stub("mount", "exit 0")
        assert machine.run(None).marks == ["tier1: begin", "tier1: user-data-failed 302"]

    def test_without_helper_and_nfs_client_it_fails(self, machine: Machine) -> None:
        """The machine has no known package manager."""
        machine.without("mount.efs")
        ran = machine.run(None)
        assert ran.marks == ["tier1: begin", "tier1: user-data-failed 302"]
        assert calls_of(ran, "mount") == []

    def test_a_mount_path_that_cannot_be_created_fails(self, machine: Machine) -> None:
        """There is a file in the folder's place."""
        machine.mount_path.parent.write_text("a file")
        assert machine.run(None).marks == ["tier1: begin", "tier1: user-data-failed 301"]

    def test_writes_its_fstab_entry_once(self, machine: Machine) -> None:
        """An existing entry for the mount path is left as it is."""
        entry = f"fs-0123:/ {machine.mount_path} efs tls 0 0\n"
        (machine.folder / "etc/fstab").write_text(entry)
        assert machine.run(None).fstab == entry

    def test_an_existing_mount_is_not_repeated(self, machine: Machine) -> None:
        """The image mounts it by its own fstab."""
        (machine.folder / "mounted").touch()
        ran = machine.run(None)
        assert calls_of(ran, "mount") == []
        assert ran.marks[-1] == "tier1: ready"


class TestPackageLock:
    @pytest.mark.field_case(
        "a replaced script: the dpkg lock was held for over five minutes at the first boot"
    )
    def test_waits_for_apt_s_locks_and_installs_nfs(self, machine: Machine) -> None:
        """The dpkg lock is held for minutes at first boot. Ubuntu has no helper package."""
        machine.without("mount.efs")
        machine.stub(
            "fuser",
            'n=$(cat "$STATE/n" 2>/dev/null || echo 0); echo $((n + 1)) >"$STATE/n"; test "$n" -lt 40',
        )
        machine.stub("apt-cache", 'test "$2" = nfs-common')
        machine.stub(
            "apt-get",
            f'case "$*" in *nfs-common) {ARRIVES.format("mount.nfs4")};; esac',
        )
        ran = machine.run(None)
        assert len(calls_of(ran, "sleep")) == 40
        assert calls_of(ran, "apt-get")[-1].endswith("-o DPkg::Lock::Timeout=500 install nfs-common")
        assert not any("install amazon-efs-utils" in call for call in ran.calls)
        assert ran.marks == ["tier1: begin", "tier1: mounted", "tier1: ready"]

    def test_a_lock_that_is_never_released_does_not_hold_it_for_ever(self, machine: Machine) -> None:
        """Wait and attempts are bounded, so it ends with a mark."""
        machine.without("mount.efs")
        machine.stub("fuser")
        machine.stub("apt-cache")
        machine.stub("apt-get", "exit 100")
        ran = machine.run(None)
        assert ran.marks[-1] == "tier1: user-data-failed 302"
        assert len(calls_of(ran, "fuser")) == 90


class TestUserScript:
    @pytest.mark.field_case("a replaced script: `exit 1` bypassed the ERR trap and looked like success")
    @pytest.mark.parametrize(
        ("script", "code"),
        [
            ("exit 1", 1),
            ("#!/bin/bash\nset -e\nfalse\n", 1),
            ("exit 255", 255),
            ("kill -9 $$", 137),
            ("nosuch", 127),
        ],
    )
    def test_a_script_that_fails_is_reported_with_its_code(
        self, machine: Machine, script: str, code: int
    ) -> None:
        """`exit 1` bypassed the ERR trap and looked like success."""
        ran = machine.run(script)
        assert ran.marks == ["tier1: begin", "tier1: mounted", f"tier1: user-data-failed {code}"]
        assert ran.status == 1

    @pytest.mark.field_case(
        "a replaced script: a generated password with `$` stopped the user data under `set -u`"
    )
    def test_a_password_with_a_dollar_stays_as_it_is(self, machine: Machine) -> None:
        """A generated password with `$` in it stopped the user data under `set -u`."""
        secret = "pa$$w0rd$HOME'\"`id`\\$(id)!EOF"
        script = f"set -u\ncat >\"$STATE/secret\" <<'END'\n{secret}\nEOF\nEND\n"
        ran = machine.run(script)
        assert (machine.folder / "secret").read_text() == f"{secret}\nEOF\n"
        assert ran.marks[-1] == "tier1: ready"

    def test_runs_with_its_own_interpreter(self, machine: Machine) -> None:
        """The script's interpreter line decides."""
        script = "#!/usr/bin/env python3\nimport os\nopen(os.environ['STATE'] + '/ran', 'w').write('py')\n"
        ran = machine.run(script)
        assert (machine.folder / "ran").read_text() == "py"
        assert ran.marks[-1] == "tier1: ready"

    @pytest.mark.field_case("a replaced script: `sh` ran a script that was written for bash")
    def test_without_an_interpreter_line_bash_runs_it(self, machine: Machine) -> None:
        """`sh` would not do, because it has no arrays."""
        machine.run('a=(1 2); echo "${#a[@]}" >"$STATE/ran"')
        assert (machine.folder / "ran").read_text() == "2\n"

    def test_a_missing_interpreter_is_a_failure(self, machine: Machine) -> None:
        """The code is 127, as from the shell."""
        assert machine.run("#!/no/such/program\n").marks[-1] == "tier1: user-data-failed 127"

    def test_is_never_printed_and_leaves_nothing_behind(self, machine: Machine) -> None:
        """The script's text is in no output of tier1, and its copy is deleted afterwards."""
        ran = machine.run("TOKEN=s3cr3t-t0ken\nexit 3\n")
        assert "s3cr3t" not in ran.output
        assert "s3cr3t" not in "".join(ran.marks)
        assert ran.left_over == []

    def test_its_input_is_empty(self, machine: Machine) -> None:
        """A script that reads its input gets an end of file, not the rest of the user data."""
        assert machine.run("cat; exit 0").marks[-1] == "tier1: ready"

    def test_a_script_that_cannot_be_unpacked_is_a_failure(self, machine: Machine) -> None:
        """The machine has no base64, or its disk is full."""
        machine.stub("base64", "exit 1")
        ran = machine.run("true")
        assert ran.marks[-1] == "tier1: user-data-failed 303"
        assert ran.left_over == []

    def test_a_signal_is_a_failure(self, machine: Machine) -> None:
        """A shutdown midway ends with a mark of its own."""
        assert machine.run("kill -TERM $PPID").marks[-1] == "tier1: user-data-failed 300"

    def test_an_unwritable_console_stops_nothing(self, machine: Machine) -> None:
        """Some images have no console device; the work is done all the same."""
        (machine.folder / "console").mkdir()
        text = userdata.render(
            script=None,
            file_system_id="fs-1",
            mount_path=str(machine.mount_path),
            region="r",
            mount_targets={},
        )
        environ = {
            "PATH": str(machine.bin),
            "TIER1_ROOT": str(machine.folder),
            "TIER1_CONSOLE": str(machine.folder / "console"),
            "STATE": str(machine.folder),
        }
        done = subprocess.run(
            ["/bin/bash", "-c", text], env=environ, capture_output=True, timeout=RUN_SECONDS, check=False
        )
        assert done.returncode == 0
        assert (machine.folder / "mounted").exists()


class TestRender:
    def test_shellcheck_finds_nothing(self, tmp_path: Path) -> None:
        """It checks the file as written and as sent."""
        sent = tmp_path / "sent.sh"
        sent.write_text(
            userdata.render(
                script="true",
                file_system_id="fs-1",
                mount_path="/mnt/efs",
                region="us-east-1",
                mount_targets=TARGETS,
            )
        )
        source = Path(userdata.__file__).with_name("userdata.sh")
        program = shutil.which(
            "shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        if program is None:
            pytest.skip("shellcheck is not installed")
        for file in (sent, source):
            # Only `userdata.py` knows the values before it (SC2154) and its own globals.
            done = subprocess.run(
                [program, "-e", "SC2154", str(file)], capture_output=True, text=True, check=False
            )
            assert done.stdout == ""

    def test_its_own_part_leaves_most_of_the_room_to_the_user(self) -> None:
        """It takes under 3.2 KiB for six zones, so a script of 9.8 KB fits."""
        ours = userdata.largest_bytes(None, mount_path="/mnt/efs", region="ap-southeast-1", zones=6)
        assert ours < 3_300
        assert (
            userdata.largest_bytes("x" * 9_800, mount_path="/m", region="us-east-1", zones=6)
            <= userdata.MAX_BYTES
        )

    def test_a_long_script_is_sent_compressed_and_runs_unchanged(self, machine: Machine) -> None:
        """EC2 counts the compressed bytes, and cloud-init decompresses them: 39 KB of shell fit."""
        script = LONG_SCRIPT + 'echo "$0" >"$STATE/ran"\n'
        settings: dict[str, Any] = {
            "file_system_id": "fs-1",
            "mount_path": "/m",
            "region": "r",
            "mount_targets": TARGETS,
        }
        sent = userdata.packed(script=script, **settings)
        most = userdata.largest_bytes(script, mount_path="/m", region="us-east-1", zones=6)
        assert (sent[:2], len(sent) < most <= userdata.MAX_BYTES) == (b"\x1f\x8b", True)
        assert len(script) > 39_000
        assert sent == userdata.packed(script=script, **settings)
        assert userdata.unpacked(sent) == userdata.render(script=script, **settings, compressed=True)
        assert userdata.packed(script="true", **settings).startswith(b"#!/bin/bash\n")
        assert machine.run(script, compressed=True).marks[-1] == "tier1: ready"
        assert (machine.folder / "ran").exists()

    def test_holds_no_comment_and_no_blank_line(self) -> None:
        """Every byte counts against 16 KiB."""
        lines = userdata.render(
            script=None, file_system_id="fs-1", mount_path="/m", region="r", mount_targets={}
        ).splitlines()
        assert lines[0] == "#!/bin/bash"
        assert not [line for line in lines[1:] if not line or line.startswith(("#", " "))]

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_every_script_is_unpacked_unchanged(self, script: str) -> None:
        """It is encoded in one line, in an alphabet without special characters."""
        text = userdata.render(
            script=script, file_system_id="fs-1", mount_path="/m", region="r", mount_targets={}
        )
        (line,) = [line for line in text.splitlines() if line.startswith("SCRIPT=")]
        encoded = line.removeprefix("SCRIPT=").strip("'")
        assert base64.b64decode(encoded).decode() == script

    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
    def test_no_value_can_break_out_of_its_quotes(self, value: str) -> None:
        """Every value is quoted for the shell, whoever calls."""
        text = userdata.render(
            script=None, file_system_id="fs-1", mount_path=value, region="r", mount_targets={}
        )
        head = text.split("\nREGION=")[0]
        done = subprocess.run(
            ["/bin/bash", "-c", f'{head}\nprintf %s "$MP"'],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.stdout == value
