"""The script that applies changes; most tests run it with a real shell, its absolute paths turned into a folder.

What would change this computer is a stand-in on PATH: `ip` and `systemctl`.
"""

import fcntl
import os
import re
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.host.change_script import LOCKED_STATUS, apply_script
from podroutes.host.changes import (
    Change,
    KeepCopy,
    NetworkdFile,
    PutBack,
    RemoveFile,
    RouteCommand,
    SetSysctl,
    Step,
    Systemctl,
    WriteFile,
)
from podroutes.host.managed_files import temporary_path
from podroutes.host.reading_script import reading_script

NONCE = "apply0123456789abcdef"
FACTS = f"printf '\\n@{NONCE} end\\n'\nexit 0\n"
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell) is not None]

# Does what a file says or on standard input, and fails where the test says so, as `ip` does. The table that it
# shows has a line `10.200.N.0/24 ...` for each route.
FAKE_IP = """#!/bin/sh
case "$*" in *"route show"*) touch "$SANDBOX/table"; cat "$SANDBOX/table"; exit ;; esac
for file; do :; done
number=0
while read -r line; do
    number=$((number + 1))
    if printf '%s\\n' "$line" | grep -q -f "$SANDBOX/refuse"; then
        echo "RTNETLINK answers: Network is unreachable" >&2
        echo "Command failed $file:$number" >&2
        exit 1
    fi
    printf '%s\\n' "$line" >>"$SANDBOX/ip.log"
    destination=${line#route * }
    sed -i "\\,^${destination%% *} ,d" "$SANDBOX/table"
    case $line in *"route del"*) ;; *) printf '%s \\n' "$destination" >>"$SANDBOX/table" ;; esac
done <"$([ "$file" = - ] && echo /dev/stdin || echo "$file")"
"""
# Fails to start or to stop the unit if a file says so; knows the unit's last run, and how it is, if files do.
FAKE_SYSTEMCTL = """#!/bin/sh
printf '%s\\n' "$*" >>"$SANDBOX/systemctl.log"
case $1 in
show) cat "$SANDBOX/invocation" 2>/dev/null ;;
status) cat "$SANDBOX/status" 2>/dev/null; exit 3 ;;
is-failed) [ -e "$SANDBOX/stop-fails" ] ;;
disable | daemon-reload | reset-failed) ;;
*) [ ! -e "$SANDBOX/unit-fails" ] || { cat "$SANDBOX/unit-fails" >&2; exit 1; } ;;
esac
"""
# What it has of a run: of the unit's own processes, of systemd, of neither.
FAKE_JOURNALCTL = """#!/bin/sh
for field; do :; done
cat "$SANDBOX/journal/$field"
"""
JOB_FAILED = "Job for routes.service failed.\n"
# Sets the interface up anew, with what the file says becomes of it then.
FAKE_NETWORKCTL = """#!/bin/sh
link=$SANDBOX/run/systemd/netif/links/3
printf '%s %s\\n' "$*" "$(cat "$SANDBOX"/etc/systemd/network/eth1.network.d/ours.conf 2>/dev/null)" \\
    >>"$SANDBOX/networkctl.log"
if [ -e "$SANDBOX/networkd-down" ]; then
    echo "Failed to reload network settings: Connection refused" >&2
    exit 1
fi
state=$(cat "$SANDBOX/becomes" 2>/dev/null || echo configured)
printf 'ADMIN_STATE=%s\\n' "$state" >"$link.new"
mv "$link.new" "$link"
"""


def change(*steps: Step, subject: str = "subject") -> Change:
    return Change("routes_service", "write", subject, "", "", "reason", steps)


@dataclass
class Sandbox:
    """A folder that stands for the host's root."""

    root: Path
    shell: str

    def script(self, changes: list[Change], facts: str = FACTS) -> str:
        text = apply_script(NONCE, changes, facts)
        for path in ("/run/", "/etc/", "/proc/sys/", "/sys/class/"):
            text = text.replace(path, f"{self.root}{path}")
        return text

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "SANDBOX": str(self.root),
            "TMPDIR": str(self.root / "tmp"),
        }

    def run(self, changes: list[Change]) -> tuple[list[str], int]:
        """What the changes' commands said, and their status."""
        result = subprocess.run(
            [self.shell], input=self.script(changes), capture_output=True, text=True, env=self.environment, check=False
        )
        assert result.stderr == ""
        match = re.fullmatch(
            rf"\n@{NONCE} apply\n(.*?)\n@{NONCE} status\n(\d+)\n+@{NONCE} end\n", result.stdout, re.DOTALL
        )
        assert match is not None, result.stdout
        assert list((self.root / "tmp").iterdir()) == []
        return match[1].splitlines(), int(match[2])

    def path(self, name: str) -> Path:
        return self.root / name

    def log(self, name: str) -> list[str]:
        path = self.root / f"{name}.log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=SHELLS)
def sandbox(tmp_path: Path, request: pytest.FixtureRequest) -> Sandbox:
    for folder in (
        "bin", "run/systemd/netif/links", "tmp", "etc", "journal", "proc/sys/net/ipv4", "sys/class/net/eth1",
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "refuse").write_text("")
    (tmp_path / "sys/class/net/eth1/ifindex").write_text("3\n")
    (tmp_path / "run/systemd/netif/links/3").write_text("ADMIN_STATE=configured\n")
    programs = {
        "ip": FAKE_IP,
        "systemctl": FAKE_SYSTEMCTL,
        "networkctl": FAKE_NETWORKCTL,
        "journalctl": FAKE_JOURNALCTL,
    }
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return Sandbox(tmp_path, request.param)


def test_a_file_is_written_whole_with_its_mode(sandbox: Sandbox) -> None:
    path = sandbox.path("etc/a/b/routes")
    said, status = sandbox.run(
        [change(WriteFile("/etc/a/b/routes", 0o640, "one\n  two $(reboot) `x` \\n 'q' \"d\"\n"))]
    )
    assert (said, status) == (["> write subject"], 0)
    assert path.read_text() == "one\n  two $(reboot) `x` \\n 'q' \"d\"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["routes"]


def test_a_link_in_a_files_place_is_replaced_not_followed(sandbox: Sandbox) -> None:
    target, path = sandbox.path("etc/target"), sandbox.path("etc/link")
    target.write_text("somebody's")
    path.symlink_to(target)
    assert sandbox.run([change(WriteFile("/etc/link", 0o644, "ours\n"))])[1] == 0
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("somebody's", "ours\n", False)


def test_what_is_in_a_file_is_never_taken_for_the_scripts_own_words(sandbox: Sandbox) -> None:
    content = f"@FACTS@\n@@NONCE@\n@LOCKED@ @FOLDERS@\n@{NONCE} status\n0\n"
    path = sandbox.path("etc/routes")
    assert sandbox.run([change(WriteFile("/etc/routes", 0o644, content))])[1] == 0
    assert path.read_text() == content


UNIT = "/etc/unit"
COPY = "/etc/kubernetes-routes/replaced/unit"
TAKE_OVER = [change(KeepCopy(UNIT, COPY), WriteFile(UNIT, 0o644, "ours\n"))]
GIVE_BACK = [change(PutBack(COPY, UNIT))]


def test_a_copy_is_kept_once_and_put_back_with_its_mode(sandbox: Sandbox) -> None:
    unit, copy = sandbox.path(UNIT[1:]), sandbox.path(COPY[1:])
    unit.write_text("somebody's\n")
    unit.chmod(0o600)
    assert sandbox.run(TAKE_OVER)[1] == 0
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode), unit.read_text()) == ("somebody's\n", 0o600, "ours\n")
    # once more: what is ours by now must not come over the copy
    assert sandbox.run(TAKE_OVER)[1] == 0
    assert copy.read_text() == "somebody's\n"
    assert sandbox.run(GIVE_BACK)[1] == 0
    assert (unit.read_text(), stat.S_IMODE(unit.stat().st_mode)) == ("somebody's\n", 0o600)
    assert not sandbox.path("etc/kubernetes-routes").exists()


@pytest.mark.parametrize("target", ["/dev/null", "nowhere"])
def test_a_masked_unit_is_kept_as_the_link_that_it_is(sandbox: Sandbox, target: str) -> None:
    unit, copy = sandbox.path(UNIT[1:]), sandbox.path(COPY[1:])
    unit.symlink_to(target)
    assert sandbox.run(TAKE_OVER)[1] == 0
    assert sandbox.run(TAKE_OVER)[1] == 0
    assert str(copy.readlink()) == target
    assert sandbox.run(GIVE_BACK)[1] == 0
    assert str(unit.readlink()) == target


def test_folders_of_ours_go_with_the_last_file_in_them(sandbox: Sandbox) -> None:
    folder = sandbox.path("etc/kubernetes-routes")
    (folder / "replaced").mkdir(parents=True)
    (folder / "routes").write_text("")
    (folder / "before").write_text("")
    assert sandbox.run([change(RemoveFile("/etc/kubernetes-routes/routes"))])[1] == 0
    assert [entry.name for entry in folder.iterdir()] == ["before"]
    steps = [RemoveFile(f"/etc/kubernetes-routes/{name}") for name in ("before", "never-there")]
    assert sandbox.run([change(*steps)])[1] == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv6.conf.eth0.accept_ra", "net/ipv6/conf/eth0/accept_ra"),
        ("net/ipv6/conf/eth0.7/accept_ra", "net/ipv6/conf/eth0.7/accept_ra"),
    ],
)
def test_a_kernel_parameter_is_written_to_its_file(sandbox: Sandbox, key: str, path: str) -> None:
    file = sandbox.path("proc/sys") / path
    file.parent.mkdir(parents=True, exist_ok=True)
    assert sandbox.run([change(SetSysctl(key, "1"))])[1] == 0
    assert file.read_text() == "1\n"


def test_it_stops_at_the_first_step_that_fails_says_why_and_still_reads_the_host(sandbox: Sandbox) -> None:
    sandbox.path("unit-fails").write_text(JOB_FAILED)
    changes = [
        change(WriteFile("/etc/one", 0o644, "1\n"), subject="one"),
        change(Systemctl(("reload-or-restart", "routes.service")), subject="routes.service"),
        change(WriteFile("/etc/two", 0o644, "2\n"), subject="two"),
    ]
    said, status = sandbox.run(changes)
    assert said == ["> write one", "> write routes.service", "Job for routes.service failed."]
    assert status == 1
    assert sandbox.path("etc/one").exists()
    assert not sandbox.path("etc/two").exists()


OWN, PID_1 = "_SYSTEMD_INVOCATION_ID=f00", "INVOCATION_ID=f00"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        # the unit's own words first
        ({f"journal/{OWN}": "no route\nnothing was changed\n", f"journal/{PID_1}": "Failed.\n"},
         ["no route", "nothing was changed"]),
        # it could not even be begun
        ({f"journal/{PID_1}": "Failed at step NAMESPACE\n"}, ["Failed at step NAMESPACE"]),
        # no journal
        ({"status": "x\n  Active: failed\n Process: 7 ExecStart=/x (status=226/NAMESPACE)\n"},
         ["  Active: failed", " Process: 7 ExecStart=/x (status=226/NAMESPACE)"]),
        ({}, ["Job for routes.service failed."]),
        # systemctl itself
        ({"unit-fails": "Warning: x changed on disk.\nFailed to enable unit: Read-only file system\n",
          f"journal/{OWN}": "an earlier run's\n"}, ["Failed to enable unit: Read-only file system"]),
        ({"unit-fails": "Warning: x changed on disk.\n", f"journal/{OWN}": "no route\n"}, ["no route"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["reload-or-restart", "restart", "enable"])
def test_a_start_that_fails_says_what_the_unit_said(
    sandbox: Sandbox, verb: str, files: dict[str, str], words: list[str]
) -> None:
    for name, text in ({"unit-fails": JOB_FAILED, "invocation": "f00\n"} | files).items():
        sandbox.path(name).write_text(text)
    said, status = sandbox.run([change(Systemctl((verb, "routes.service")))])
    assert (said, status) == (["> write subject", *words], 1)


def test_a_stop_that_fails_is_said_and_leaves_no_failed_unit(sandbox: Sandbox) -> None:
    stop = [change(Systemctl(("disable", "--now", "routes.service")), RemoveFile("/etc/unit"))]
    assert sandbox.run(stop) == (["> write subject", "> write subject"], 0)
    sandbox.path("stop-fails").touch()
    sandbox.path("invocation").write_text("f00\n")
    sandbox.path(f"journal/{OWN}").write_text("the list can't be read\n")
    note = "! routes.service failed as it was stopped: the list can't be read"
    said, status = sandbox.run(stop)
    assert ([line.strip() for line in said], status) == (["> write subject", note, "> write subject"], 0)
    assert sandbox.log("systemctl")[-1] == "reset-failed routes.service"


@pytest.mark.parametrize("said", ["flock: unrecognized option '--nonblock'", ""])
def test_a_lock_that_can_not_be_asked_for_is_no_other_runs(sandbox: Sandbox, said: str) -> None:
    flock = sandbox.path("bin/flock")
    flock.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(said)} >&2\nexit 1\n")
    flock.chmod(0o755)
    lines, status = sandbox.run([change(WriteFile("/etc/routes", 0o644, "ours\n"))])
    assert status == 1
    assert lines[0].startswith("> lock ")
    assert lines[1] == f"flock of util-linux is needed; it said: {said or 'nothing'}"
    assert list(sandbox.path("etc").iterdir()) == []


def test_what_an_interrupted_write_left_is_written_over(sandbox: Sandbox) -> None:
    for path in (UNIT, COPY):
        left = sandbox.path(temporary_path(path)[1:])
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("half")
    sandbox.path(UNIT[1:]).write_text("somebody's\n")
    assert sandbox.run(TAKE_OVER)[1] == 0
    assert (sandbox.path(UNIT[1:]).read_text(), sandbox.path(COPY[1:]).read_text()) == ("ours\n", "somebody's\n")
    assert list(sandbox.path("etc").rglob(".*")) == []


def test_a_file_that_can_not_be_written_is_named_and_leaves_nothing(sandbox: Sandbox) -> None:
    sandbox.path("etc/file").write_text("")
    said, status = sandbox.run([change(WriteFile("/etc/file/below", 0o644, "1\n"))])
    assert status != 0
    assert any("cannot create directory" in line and "etc/file" in line for line in said), said


def test_a_file_that_is_only_half_written_is_no_file(sandbox: Sandbox) -> None:
    path = sandbox.path("etc/file")
    path.write_text("before\n")
    # a disk that is full after 512 bytes or 1 KiB, as shells count
    text = "ulimit -f 1\ntrap '' XFSZ\n" + sandbox.script([change(WriteFile("/etc/file", 0o644, "x" * 4096))])
    result = subprocess.run(
        [sandbox.shell], input=text, capture_output=True, text=True, env=sandbox.environment, check=False
    )
    assert f"\n@{NONCE} apply\n> write subject\ncat: write error: File too large\n" in result.stdout
    assert f"\n@{NONCE} status\n1\n" in result.stdout
    assert [(entry.name, entry.read_text()) for entry in path.parent.iterdir()] == [("file", "before\n")]


ROUTES = [RouteCommand(f"route replace 10.200.{n}.0/24 do", f"route del 10.200.{n}.0/24 undo") for n in range(1, 5)]


def test_routes_in_a_row_are_one_batch(sandbox: Sandbox) -> None:
    changes = [change(command) for command in ROUTES[:2]]
    changes += [change(Systemctl(("daemon-reload",))), *(change(command) for command in ROUTES[2:])]
    said, status = sandbox.run(changes)
    assert (said, status) == (["> change 2 routes", "> write subject", "> change 2 routes"], 0)
    assert sandbox.log("ip") == [command.do for command in ROUTES]
    assert sandbox.log("systemctl") == ["daemon-reload"]


@pytest.mark.parametrize("refused", range(4))
def test_a_refused_route_takes_back_those_before_it_and_only_those(sandbox: Sandbox, refused: int) -> None:
    sandbox.path("refuse").write_text(f"^{re.escape(ROUTES[refused].do)}$\n")
    said, status = sandbox.run([change(command) for command in ROUTES])
    assert status == 1
    assert said == [
        "> change 4 routes",
        "RTNETLINK answers: Network is unreachable",
        "none of the route changes was kept",
    ]
    done = ROUTES[:refused]
    assert sandbox.log("ip") == [command.do for command in done] + [command.undo for command in reversed(done)]


def test_a_long_batch_that_is_refused_early_says_what_ip_said_and_nothing_else(sandbox: Sandbox) -> None:
    routes = [RouteCommand(f"route replace 10.200.{n}.0/24 {'x' * 400}", f"route del {n}") for n in range(256)]
    sandbox.path("refuse").write_text(f"^{re.escape(routes[0].do)}$\n")
    said, status = sandbox.run([change(command) for command in routes])
    assert (said[0], said[-2:], len(said), status) == (
        "> change 256 routes",
        ["RTNETLINK answers: Network is unreachable", "none of the route changes was kept"],
        3,
        1,
    )
    assert sandbox.log("ip") == []


def test_what_could_not_be_taken_back_is_said(sandbox: Sandbox) -> None:
    refused = [re.escape(ROUTES[2].do), re.escape(ROUTES[0].undo)]
    sandbox.path("refuse").write_text("".join(f"^{line}$\n" for line in refused))
    said, status = sandbox.run([change(command) for command in ROUTES])
    assert status == 1
    assert said[-1] == "could not be taken back: 10.200.1.0/24 do "


def test_a_route_that_is_not_put_back_whole_is_named(sandbox: Sandbox) -> None:
    """Whatever the undo says: what counts is what is there in the end."""
    sandbox.path("table").write_text("10.200.1.0/24 via 10.240.0.9 dev eth0 mtu lock 600 \n10.9.0.0/24 dev eth0 \n")
    sandbox.path("refuse").write_text("10.200.2.0/24 do\n")
    routes = [
        RouteCommand("route replace 10.200.1.0/24 do", "route replace 10.200.1.0/24 via 10.240.0.9 dev eth0"),
        ROUTES[1],
    ]
    said, status = sandbox.run([change(command) for command in routes])
    assert status == 1
    assert said[2:] == [
        "could not be put back: 10.200.1.0/24 via 10.240.0.9 dev eth0 mtu lock 600 ",
        "could not be taken back: 10.200.1.0/24 via 10.240.0.9 dev eth0 ",
    ]


def test_a_route_that_expires_comes_back_for_what_was_left_and_its_state_is_no_difference(sandbox: Sandbox) -> None:
    table = "10.200.1.0/24 via 10.240.0.9 dev eth0 linkdown expires 99sec pref high\n"
    sandbox.path("table").write_text(table)
    sandbox.path("refuse").write_text("10.200.2.0/24 do\n")
    routes = [RouteCommand("route replace 10.200.1.0/24 do", "route replace 10.200.1.0/24 via"), ROUTES[1]]
    sandbox.run([change(command) for command in routes])
    assert sandbox.log("ip")[-1] == "route replace 10.200.1.0/24 via 10.240.0.9 dev eth0 expires 99 pref high"


def test_without_a_listing_nothing_is_changed(sandbox: Sandbox) -> None:
    sandbox.path("bin/ip").write_text("#!/bin/sh\necho 'Cannot open netlink socket: Too many open files' >&2\nexit 1\n")
    said, status = sandbox.run([change(command) for command in ROUTES])
    assert (said, status) == (["> change 4 routes", "Cannot open netlink socket: Too many open files"], 1)


def test_two_runs_at_once_are_one_too_many(sandbox: Sandbox) -> None:
    path = sandbox.path("etc/routes")
    with sandbox.path("run/pod-routes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said, status = sandbox.run([change(WriteFile("/etc/routes", 0o644, "ours\n"))])
        assert (said, status, path.exists()) == ([], LOCKED_STATUS, False)
    assert sandbox.run([change(WriteFile("/etc/routes", 0o644, "ours\n"))])[1] == 0


def test_a_connection_that_breaks_before_the_answer_leaves_nothing_half_done(sandbox: Sandbox) -> None:
    changes = [change(WriteFile(f"/etc/{n}", 0o644, f"{n}\n")) for n in range(20)]
    read, write = os.pipe()
    os.close(read)  # whoever writes gets EPIPE at once
    try:
        subprocess.run(
            [sandbox.shell], input=sandbox.script(changes).encode(), stdout=write, stderr=write,
            env=sandbox.environment, check=False, restore_signals=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert len(list(sandbox.path("etc").iterdir())) == 20


def test_a_script_that_did_not_arrive_whole_does_nothing(sandbox: Sandbox) -> None:
    text = sandbox.script([change(WriteFile(f"/etc/{n}", 0o644, f"{n}\n")) for n in range(3)])
    assert text.endswith("}\nmain\n")
    # a shell to each line would be slow: the lines around the steps are what matters
    lines = text.splitlines(keepends=True)
    for count in [*range(len(lines) - 40, len(lines) - 1, 3), len(lines) - 1]:
        cut = "".join(lines[:count])
        subprocess.run([sandbox.shell], input=cut, capture_output=True, text=True, env=sandbox.environment, check=False)
        assert list(sandbox.path("etc").iterdir()) == []


def every_step() -> list[Change]:
    return [
        change(KeepCopy("/etc/a", "/etc/b"), WriteFile("/etc/a", 0o644, "text\n")),
        change(SetSysctl("net.ipv4.ip_forward", "1")),
        change(*ROUTES),
        change(Systemctl(("disable", "--now", "routes.service"))),
        change(PutBack("/etc/b", "/etc/a"), RemoveFile("/etc/c")),
    ]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("changes", [every_step(), every_step()[2:3], every_step()[:1]])
def test_the_whole_script_is_valid(shell: str, changes: list[Change]) -> None:
    facts = reading_script(NONCE, families=(4, 6), lookups=["route get 10.200.1.1"])
    for text in (facts, apply_script(NONCE, changes, facts)):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    facts = reading_script(NONCE, families=(4, 6), lookups=["route get 10.200.1.1"])
    # 2317: it can't see that the shell calls main at the end; 2329: not every script uses every function
    result = subprocess.run(
        ["shellcheck", "--shell=sh", "--exclude=SC2317,SC2329", "-"],
        input=apply_script(NONCE, every_step(), facts), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.stdout, result.returncode) == ("", 0)


def test_the_host_is_read_once_and_last() -> None:
    facts = reading_script(NONCE, families=(4,), lookups=[])
    text = apply_script(NONCE, every_step(), facts)
    assert text.count(facts.removesuffix("exit 0\n")) == 1
    assert text.index("part host") > text.index("disable --now")
    assert "@@" not in text.replace(f"@{NONCE}", "")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_any_word_of_a_step_stays_one_word(text: str) -> None:
    """Types refuse odd values long before; this is the second wall."""
    script = apply_script(NONCE, [change(RemoveFile(text), Systemctl((text, "x")), subject=text)], FACTS)
    said = f"printf '%s\\n' {shlex.quote(f'> write {text}')}"
    steps = script[script.index(said) : script.rindex("\n}\nsaid=")]
    functions = 'remove() { printf \'<%s>\' "$@"; }\nsystemctl() { remove "$@"; }\n'
    result = subprocess.run(["sh"], input=(functions + steps).encode(), capture_output=True, check=True)
    assert result.stdout.decode() == f"> write {text}\n<{text}>> write {text}\n<{text}><x>"


NETWORKD_FILE = "/etc/systemd/network/eth1.network.d/ours.conf"
WRITTEN = ["> write subject"]


def networkd_file(sandbox: Sandbox, content: str, *, device: str = "eth1") -> tuple[list[str], int]:
    return sandbox.run([change(NetworkdFile(NETWORKD_FILE, content, device))])


def test_a_drop_in_of_networkds_is_written_and_taken(sandbox: Sandbox) -> None:
    assert networkd_file(sandbox, "[Route]\n'$(x)'\n\n") == (WRITTEN, 0)
    assert sandbox.path(NETWORKD_FILE[1:]).read_text() == "[Route]\n'$(x)'\n\n"
    assert sandbox.log("networkctl") == ["reload [Route]", "'$(x)'"]
    assert networkd_file(sandbox, "") == (WRITTEN, 0)
    assert sandbox.log("networkctl")[2:] == ["reload "]
    assert list(sandbox.path("etc/systemd/network").iterdir()) == []


def test_a_drop_in_that_networkd_does_not_use_goes_without_it(sandbox: Sandbox) -> None:
    networkd_file(sandbox, "ours\n")
    other = sandbox.path("etc/systemd/network/eth1.network.d/other.conf")
    other.write_text("somebody's\n")
    assert networkd_file(sandbox, "", device="") == (WRITTEN, 0)
    assert len(sandbox.log("networkctl")) == 1
    assert list(other.parent.iterdir()) == [other]


@pytest.mark.parametrize("before", ["", "before\n\n"])
@pytest.mark.parametrize(
    ("fault", "content", "words"),
    [
        ("networkd-down", "", "Failed to reload network settings: Connection refused"),
        ("becomes", "failed\n", "systemd-networkd did not set eth1 up again: look at networkctl status eth1"),
    ],
)
def test_what_networkd_does_not_take_is_put_back(
    sandbox: Sandbox, before: str, fault: str, content: str, words: str
) -> None:
    if before:
        networkd_file(sandbox, before)
    sandbox.path(fault).write_text(content)
    said, status = networkd_file(sandbox, "after\n")
    assert (said[:2], said[-1], status) == ([*WRITTEN, words], f"{sandbox.root}{NETWORKD_FILE} is as it was before", 1)
    path = sandbox.path(NETWORKD_FILE[1:])
    assert (path.read_text() if path.exists() else "") == before
    reloads = [line for line in sandbox.log("networkctl") if line.startswith("reload")]
    assert len(reloads) == (3 if before else 2)


def test_hosts_without_such_a_step_are_not_sent_how_it_is_done(sandbox: Sandbox) -> None:
    assert "networkctl" not in sandbox.script([change(WriteFile("/etc/a", 0o644, "x\n"))])
