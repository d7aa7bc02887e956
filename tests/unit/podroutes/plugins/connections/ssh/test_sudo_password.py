import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.plugins.connections.ssh.sudo_password import sudo_password
from podroutes.secret import Secret

ASK = """
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.plugins.connections.ssh.sudo_password import sudo_password
from podroutes.errors import UsageError
settings = parse_settings({"ask_sudo_password": True})
try:
    print(sudo_password(settings).reveal().upper(), sudo_password(settings) is sudo_password(settings))
except UsageError as error:
    print(error)
"""


def test_where_none_is_configured_there_is_none() -> None:
    assert sudo_password(parse_settings({})) is None


def test_it_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("hunter2\r\nmore\n")
    settings = parse_settings({"sudo_password_file": str(tmp_path / "p")})
    assert sudo_password(settings) == Secret("hunter2")
    command = f"echo x >>{tmp_path}/count; printf %s hunter2"
    settings = parse_settings({"sudo_password_command": command})
    assert [sudo_password(settings) for _ in range(3)] == [Secret("hunter2")] * 3
    assert (tmp_path / "count").read_text() == "x\n"


@pytest.mark.parametrize(
    ("extras", "said"),
    [
        ({"sudo_password_file": "{folder}/empty"}, "sudo_password_file {folder}/empty has no password in its first"),
        ({"sudo_password_file": "{folder}"}, "sudo_password_file {folder} cannot be read"),
        ({"sudo_password_command": "exit 3"}, "sudo_password_command failed (exit status 3)"),
        ({"sudo_password_command": "true"}, "sudo_password_command has no password in its first line"),
    ],
)
def test_a_source_without_one_is_named(tmp_path: Path, extras: dict[str, str], said: str) -> None:
    (tmp_path / "empty").write_text("\nhunter2\n")
    settings = parse_settings({key: value.format(folder=tmp_path) for key, value in extras.items()})
    with pytest.raises(UsageError) as caught:
        sudo_password(settings)
    assert said.format(folder=tmp_path) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_person_at_a_terminal_is_asked_once() -> None:
    ours, theirs = pty.openpty()
    argv = ["setsid", "--ctty", "--wait", sys.executable, "-c", ASK]
    with subprocess.Popen(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b""
        while b"Password for sudo on the hosts: " not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"hunter2\n")
        output, _ = process.communicate(timeout=20)
    assert output == "HUNTER2 True\n"
    assert b"hunter2" not in shown + os.read(ours, 1000)
    os.close(ours)


def test_without_a_terminal_that_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
    )
    assert done.stdout == (
        "ask_sudo_password needs a terminal; use sudo_password_file or sudo_password_command without one\n"
    )
