import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.errors import PrivilegeError, RemoteCommandError
from podroutes.plugins.connections.wrapping import (
    Output,
    Request,
    explain_not_started,
    last_line,
    new_marker,
    one_line,
    request,
    unwrap,
    wrap,
)

MARKER = "podroutes-0123"


def run(script: str, *, cut: int | None = None) -> tuple[int, Output]:
    """What a real shell makes of the wrapped script, or of its first bytes."""
    ended = subprocess.run(
        ["/bin/sh", "-s"], input=wrap(script, MARKER)[:cut], capture_output=True, check=False, timeout=5
    )
    return ended.returncode, unwrap(ended.stdout, ended.stderr, MARKER)


def ask(script: str, *, sudo: bool, public: bool) -> Request:
    return request(script, MARKER, sudo=sudo, password=False, public=public, seconds=20)


def run_command(script: str, *, sudo: bool = False, path: str = os.defpath) -> tuple[int, Output]:
    """What a real shell makes of a script that is part of its command."""
    asked = ask(script, sudo=sudo, public=True)
    ended = subprocess.run(
        ["/bin/sh", "-c", asked.command],
        input=asked.stdin,
        env={"PATH": path},
        capture_output=True,
        check=False,
        timeout=5,
    )
    return ended.returncode, unwrap(ended.stdout, ended.stderr, MARKER)


@pytest.fixture(scope="module")
def sudo_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a sudo that changes nobody."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "sudo").write_text('#!/bin/sh\nprintf "%s\\n" "$*" >&2\n[ "$1 $2" = "-n --" ] && shift 2 && exec "$@"\n')
    (folder / "sudo").chmod(0o755)
    return f"{folder}:{os.defpath}"


SCRIPTS = pytest.mark.parametrize(
    ("script", "status", "stdout"),
    [
        ("", 0, ""),
        ("# only a comment", 0, ""),
        ("echo a; exit 3", 3, "a\n"),
        ("set -eu\nfalse\necho never", 1, ""),
        ("cat; echo read nothing", 0, "read nothing\n"),
        ("cat <<'END'\nhere }\nEND", 0, "here }\n"),
        ("f() {\n  echo $1\n}\nf x", 0, "x\n"),
        ("(exit 7)", 7, ""),
        ("printf 'no newline'", 0, "no newline"),
        ("printf '\\303\\244 \\377'", 0, "ä \ufffd"),
        ("true", 0, ""),
    ],
)


@SCRIPTS
def test_a_script_behaves_as_in_a_file(script: str, status: int, stdout: str) -> None:
    code, output = run(script)
    assert (code, output.started, output.stdout, output.stderr) == (status, True, stdout, "")


@SCRIPTS
def test_a_script_in_a_command_behaves_as_in_a_file(script: str, status: int, stdout: str, sudo_path: str) -> None:
    for sudo in (False, True):
        code, output = run_command(script, sudo=sudo, path=sudo_path)
        assert (code, output.started, output.stdout, output.stderr) == (status, True, stdout, "")


def test_sudo_is_not_told_the_script_that_it_would_log(sudo_path: str) -> None:
    asked = ask("echo said", sudo=True, public=True)
    ended = subprocess.run(["/bin/sh", "-c", asked.command], env={"PATH": sudo_path}, capture_output=True, check=False)
    assert ended.stderr.splitlines()[0] == b"-n -- /bin/sh -s"
    assert ended.stdout.endswith(b"said\n")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_in_a_command_arrives_as_it_was(text: str) -> None:
    code, output = run_command(f"printf %s {shlex.quote(text)}")
    assert (code, output.stdout, output.stderr) == (0, text, "")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.booleans())
def test_a_command_has_nothing_that_another_login_shell_would_read_otherwise(text: str, sudo: bool) -> None:
    asked = ask(text, sudo=sudo, public=True)
    quoted = asked.command.split("'")
    assert len(quoted) == 5, "the shell's own command and the script, each in quotes"
    assert not set("\n!") & set(asked.command)
    assert not re.search(r"\\(?![0n])", quoted[3]), "fish takes a backslash for itself before a quote or another one"
    assert asked.stdin == b""


@pytest.mark.parametrize(
    ("script", "public", "command"),
    [
        ("true", False, "env LC_ALL=C sudo -n -- /bin/sh -s"),
        ("#" * 200_000, True, "env LC_ALL=C sudo -n -- /bin/sh -s"),
        ("#ä" * 40_000, True, "env LC_ALL=C sudo -n -- /bin/sh -s"),
        ("#!" * 20_000, True, "env LC_ALL=C sudo -n -- /bin/sh -s"),
    ],
    ids=["a secret", "long", "long in bytes", "long when escaped"],
)
def test_a_script_that_must_not_be_in_the_command_is_its_input(script: str, public: bool, command: str) -> None:
    asked = ask(script, sudo=True, public=public)
    assert asked.command == command
    assert wrap(script, MARKER) in asked.stdin


def test_the_longest_command_is_one_that_linux_takes() -> None:
    lengths = {len(ask("#" * size, sudo=False, public=True).command) for size in range(99_000, 100_500, 7)}
    assert max(lengths) < 128 * 1024
    assert run_command("#" * 99_000)[1].started


def test_a_script_ends_on_the_host_when_its_time_is_over() -> None:
    asked = request(
        "trap '' TERM; sleep 60 & echo $!; wait", MARKER, sudo=False, password=False, public=False, seconds=0
    )
    ended = subprocess.run(["/bin/sh", "-s"], input=asked.stdin, capture_output=True, check=False, timeout=20)
    assert ended.returncode == -9
    child = Path("/proc", unwrap(ended.stdout, ended.stderr, MARKER).stdout.strip(), "stat")
    deadline = time.monotonic() + 5
    while child.exists() and child.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_host_without_timeout_runs_it_all_the_same(tmp_path: Path) -> None:
    asked = ask("echo in; exit 3", sudo=False, public=False)
    ended = subprocess.run(
        ["/bin/sh", "-s"], input=asked.stdin, env={"PATH": str(tmp_path)}, capture_output=True, check=False, timeout=20
    )
    assert (ended.returncode, unwrap(ended.stdout, ended.stderr, MARKER).stdout) == (3, "in\n")


def test_a_password_is_in_no_command_and_asked_for_by_a_word_of_its_own() -> None:
    asked = request("echo said", MARKER, sudo=True, password=True, public=True, seconds=20)
    assert asked.command == (
        f"env LC_ALL=C sudo -S -p {MARKER}-password: -- /bin/sh -c 'echo {MARKER}-root; exec /bin/sh -s'"
    )
    assert (asked.prompt, asked.ready) == (f"{MARKER}-password:", f"{MARKER}-root")
    assert b"echo said" in asked.stdin


def test_a_script_with_a_syntax_error_runs_no_line() -> None:
    code, output = run("echo first\nif then fi")
    assert code != 0
    assert output.started
    assert output.stdout == ""
    assert "yntax" in output.stderr


def test_a_script_that_arrives_in_part_runs_no_line() -> None:
    script = "echo first\necho second\n"
    for cut in range(len(wrap("", MARKER)), len(wrap(script, MARKER)) - 1):
        assert run(script, cut=cut)[1].stdout == ""


NOISE = st.binary().filter(lambda noise: MARKER.encode() not in noise)


@given(NOISE, NOISE, st.binary(), st.binary())
def test_what_stands_before_the_marker_is_cut_off(noise: bytes, more: bytes, out: bytes, err: bytes) -> None:
    line = f"{MARKER}\n".encode()
    output = unwrap(noise + line + out, more + line + err, MARKER)
    assert output == Output(True, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def test_without_the_marker_nothing_was_started() -> None:
    assert unwrap(b"Welcome\n", b"sudo: no\n", MARKER) == Output(False, "Welcome\n", "sudo: no\n")


def test_markers_differ() -> None:
    assert new_marker() != new_marker()


PASSWORD = "sudo: a password is required\n"
LECTURE = "\nWe trust you have received the usual lecture.\n\n"


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "said"),
    [
        (1, "", PASSWORD, "user kim may not become root without a password: sudo: a password is required"),
        (1, "noise\n", LECTURE + PASSWORD, "sudo: a password is required"),
        (1, "", "kim is not in the sudoers file.\n", "kim is not in the sudoers file."),
        (
            1,
            "",
            "Sorry, user kim is not allowed to execute '/bin/sh -s' as root on w.\n",
            "Sorry, user kim is not allowed",
        ),
        (1, "", "sudo: sorry, you must have a tty to run sudo\n", "you must have a tty"),
        (127, "", "env: 'sudo': No such file or directory\n", "sudo is not installed, and user kim is not root"),
    ],
)
def test_what_sudo_refuses_is_named(status: int, stdout: str, stderr: str, said: str) -> None:
    error = explain_not_started("w", "kim", status, Output(False, stdout, stderr), sudo=True, password=False)
    assert isinstance(error, PrivilegeError)
    assert str(error).startswith("w: ")
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("stdout", "stderr", "sudo", "said"),
    [
        ("This account is currently not available.\n", "", True, "This account is currently not available."),
        ("", "", True, "exit status 1"),
        ("", "sudo: looks like it, but none was used\n", False, "looks like it"),
        ("", "bad\x1b[31m\x07 thing\n\n", True, "bad[31m thing"),
    ],
)
def test_a_login_shell_that_does_not_work_is_not_sudos_fault(stdout: str, stderr: str, sudo: bool, said: str) -> None:
    error = explain_not_started("w", "kim", 1, Output(False, stdout, stderr), sudo=sudo, password=False)
    assert isinstance(error, RemoteCommandError)
    assert said in str(error)


@given(st.text())
def test_a_line_for_a_person_is_one_short_printable_line(text: str) -> None:
    for line in (last_line(text), one_line(text)):
        assert len(line) <= 300
        assert line == "" or line.isprintable()
