"""What scripts/setup.sh does to the computer, with stand-ins for the package manager and systemd."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[3] / "scripts/setup.sh"
PACKAGES = "systemd-container openssh-server iproute2 iputils-ping procps sudo dbus"
TOOLS = {
    "id": "echo 0",
    "dpkg-query": """
for package in "$@"; do :; done
grep --quiet --line-regexp "$package" "$STATE/installed" && printf installed
""",
    "dpkg": 'echo "dpkg $*" >>"$STATE/log"',
    # Packages that are installed have their services enabled at once, as Debian's are.
    "apt-get": """
echo "apt-get $1" >>"$STATE/log"
[ "$1" = install ] || exit 0
ln -s /usr/lib/ssh.service "$UNITS/multi-user.target.wants/ssh.service"
ln -s /usr/lib/lxd.socket "$UNITS/sockets.target.wants/lxd.socket"
"$PODROUTES_SETUP_ROOT/usr/sbin/policy-rc.d" ssh start || echo "policy $?" >>"$STATE/log"
: >"$STATE/installing"
while [ -e "$STATE/slow" ]; do sleep 0.01; done
[ ! -e "$STATE/broken" ] || { echo 'E: no space left'; exit 100; }
for word in "$@"; do echo "$word" >>"$STATE/installed"; done
""",
    "systemctl": """
echo "systemctl $*" >>"$STATE/log"
for unit in "$@"; do rm -f "$UNITS"/*.wants/"$unit"; done
""",
}


@dataclass
class Computer:
    """A computer whose files are in a folder."""

    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for tool, script in TOOLS.items():
            path = self.folder / "bin" / tool
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        for name in ("usr/sbin", "tmp", "state"):
            (self.folder / name).mkdir(parents=True)
        for target in ("multi-user", "sockets"):
            (self.units / f"{target}.target.wants").mkdir(parents=True)
        # What the engineer has.
        (self.units / "multi-user.target.wants/cron.service").symlink_to("/usr/lib/cron.service")
        self.state("installed").write_text("sudo\n")

    @property
    def units(self) -> Path:
        return self.folder / "etc/systemd/system"

    @property
    def policy(self) -> Path:
        return self.folder / "usr/sbin/policy-rc.d"

    @property
    def enabled(self) -> set[str]:
        return {path.name for path in self.units.glob("*.wants/*")}

    @property
    def log(self) -> list[str]:
        return self.state("log").read_text().splitlines() if self.state("log").exists() else []

    def state(self, name: str) -> Path:
        return self.folder / "state" / name

    def start(self, *steps: str, path: str | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # Who started the tests may ignore what a test sends.
            ["env", "--default-signal=HUP,INT,TERM", "/bin/sh", str(SETUP), *steps],
            env={
                "PATH": path or f"{self.folder}/bin:{os.defpath}",
                "STATE": str(self.folder / "state"),
                "UNITS": str(self.units),
                "PODROUTES_SETUP_ROOT": str(self.folder),
                "TMPDIR": str(self.folder / "tmp"),
            },
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_slowly(self) -> subprocess.Popen[str]:
        """Begin to install packages, which ends when the state `slow` is gone."""
        self.state("slow").touch()
        process = self.start("packages")
        deadline = time.monotonic() + 60
        while not self.state("installing").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    def stop(self) -> None:
        self.state("slow").unlink(missing_ok=True)
        for process in self.processes:
            with process:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, *steps: str, path: str | None = None) -> tuple[int, str, str]:
        process = self.start(*steps, path=path)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def assert_nothing_of_ours_stays(self) -> None:
        assert not self.policy.exists()
        assert self.enabled == {"cron.service"}


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[Computer]:
    made = Computer(tmp_path)
    yield made
    made.stop()


def test_no_service_of_a_new_package_starts_now_or_at_boot(computer: Computer) -> None:
    status, out, err = computer.run("packages")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"setup: installing {PACKAGES.replace('sudo ', '')} (Debian packages)",
        "setup: the lab runs its own, so these stay disabled on this computer: lxd.socket ssh.service",
    ]
    assert computer.log == [
        "dpkg --configure -a",
        "apt-get update",
        "apt-get install",
        "policy 101",
        "systemctl disable --quiet lxd.socket ssh.service",
    ]
    computer.assert_nothing_of_ours_stays()
    assert list((computer.folder / "tmp").iterdir()) == []


def test_nothing_is_done_where_all_is_there(computer: Computer) -> None:
    computer.run("packages")
    computer.state("log").unlink()
    assert computer.run("packages") == (0, "", "")
    assert computer.log == []


def test_a_service_that_was_there_before_stays_as_it_is(computer: Computer) -> None:
    ssh = computer.units / "multi-user.target.wants/ssh.service"
    ssh.symlink_to("/usr/lib/ssh.service")
    apt = computer.folder / "bin/apt-get"
    apt.write_text(apt.read_text().replace("ln -s /usr/lib/ssh.service", "ln -sf /usr/lib/ssh.service"))
    _, out, _ = computer.run("packages")
    assert computer.enabled == {"cron.service", "ssh.service"}
    assert "on this computer: lxd.socket\n" in out


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 0\n", ""])
def test_another_policy_is_left_alone(computer: Computer, text: str) -> None:
    computer.policy.write_text(text)
    computer.policy.chmod(0o755)
    computer.run("packages")
    assert computer.policy.read_text() == text


def test_apt_get_that_fails_is_one_line_after_its_own_words(computer: Computer) -> None:
    computer.state("broken").touch()
    status, _, err = computer.run("packages")
    assert status == 64
    assert err.splitlines()[0] == "E: no space left"
    assert err.splitlines()[1].startswith("setup: apt-get could not install systemd-container ")
    computer.assert_nothing_of_ours_stays()


@pytest.mark.parametrize("whole_group", [True, False], ids=["as a terminal does", "the script alone"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(computer: Computer, sent: signal.Signals, whole_group: bool) -> None:
    process = computer.start_slowly()
    if whole_group:
        os.killpg(process.pid, sent)
    else:
        os.kill(process.pid, sent)
        assert computer.policy.exists(), "apt-get still runs"
        computer.state("slow").unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + sent
    assert err == "setup: interrupted; run it again to go on\n"
    assert out.splitlines()[1:] == [
        "setup: the lab runs its own, so these stay disabled on this computer: lxd.socket ssh.service"
    ]
    computer.assert_nothing_of_ours_stays()
    assert list((computer.folder / "tmp").iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next(computer: Computer) -> None:
    process = computer.start_slowly()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert computer.policy.exists()
    for link in ("multi-user.target.wants/ssh.service", "sockets.target.wants/lxd.socket"):
        (computer.units / link).unlink()
    computer.state("slow").unlink()
    assert computer.run("packages")[0] == 0
    computer.assert_nothing_of_ours_stays()


# What is said before anything is installed


def python(computer: Computer, version: tuple[int, int]) -> str:
    """A PATH on which this version is the only Python."""
    tools = computer.folder / "bin"
    for tool in ("dirname", "head", "cat"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    script = f"""#!/bin/sh
case $1 in
    --version) echo 'Python {version[0]}.{version[1]}.9' ;;
    *) exit 1 ;;
esac
"""
    (tools / "python3").write_text(script)
    (tools / "python3").chmod(0o755)
    return str(tools)


def test_a_python_that_is_too_old_is_said_first(computer: Computer) -> None:
    setup = computer.folder / "scripts/setup.sh"
    setup.parent.mkdir()
    # No other Python of this computer.
    setup.write_text(SETUP.read_text().replace("/usr/bin/python3", "/nonexistent"))
    done = subprocess.run(
        ["/bin/sh", str(setup), "packages", "venv"],
        env={"PATH": python(computer, (3, 9)), "PODROUTES_SETUP_ROOT": str(computer.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == (
        "setup: Python 3.11 or newer is needed, as Debian 12 has it; here is Python 3.9.9. "
        "PYTHON=/path/to/python3 in front of the command names another\n"
    )
    assert computer.log == []


@pytest.mark.parametrize("step", ["packages", "lxd", "test"])
def test_only_root_can_install_packages(computer: Computer, step: str) -> None:
    (computer.folder / "bin/id").write_text("#!/bin/sh\necho 1000\n")
    assert computer.run(step) == (
        64,
        "",
        "setup: the lab needs root: run this as root (the unit tests alone do not: make unit)\n",
    )


@pytest.mark.parametrize("target", ["down", "shell"])
def test_what_needs_a_lab_says_what_to_run_first(tmp_path: Path, target: str) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "setup.sh").write_bytes(SETUP.read_bytes())
    (scripts / "setup.sh").chmod(0o755)
    (tmp_path / "Makefile").write_bytes((SETUP.parents[1] / "Makefile").read_bytes())
    done = subprocess.run(["make", target], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[0] == "setup: nothing is installed here yet: run `make run` first"
    assert len(done.stderr.splitlines()) == 2, "and what make says to a failure"
