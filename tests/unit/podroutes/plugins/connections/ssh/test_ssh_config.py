"""Where asyncssh reads the same as `ssh`, and where `ssh` has to be asked."""

from pathlib import Path

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh import ssh_config
from podroutes.plugins.connections.ssh.ssh_config import answer_of_ssh, config_files, difference


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "# a comment: %% # \\",
        "Host worker-* !worker-1",
        "HostName 10.240.0.20",
        "HostName %h.example",
        "IdentityFile ~/.ssh/%r@%h",
        "IdentityFile ${HOME}/key",
        'IdentityFile "~/a key"',
        "ProxyCommand ssh -W '[%h]:%p' bastion 2>/dev/null # not a comment",
        "ProxyJump me@bastion:22,other",
        "Match host a,b user me localnetwork 10.0.0.0/8 tagged x",
        'Match exec "test -d /"',
        "Port=22",
        "UserKnownHostsFile ~/.ssh/known_hosts /dev/null",
        "ControlMaster auto",
        "Include none-of-that-name",
    ],
)
def test_where_both_read_the_same(home: Path, line: str) -> None:
    (home / "config").write_text(f"{line}\n")
    assert difference([home / "config"]) is None


@pytest.mark.parametrize(
    "line",
    [
        "HostName fe80::1%%eth0",
        "Port 22 # the usual one",
        "Host a # not b",
        "UserKnownHostsFile ~/.ssh/known_%h",
        "UserKnownHostsFile ${HOME}/known",
        "ProxyCommand=ssh -W %h:%p b",
        'Match exec "nc -z %h 22"',
        "Match host a final",
        "Match !canonical all",
        "CanonicalizeHostname yes",
        "RevokedHostKeys /etc/ssh/revoked",
        "KnownHostsCommand /bin/keys %H",
        "IdentityFile a\\ b",
        "Include two/*",
        "Include one/*",
        "Include %d/x",
    ],
)
def test_where_they_differ(home: Path, line: str) -> None:
    for name in ("two/a", "two/b", "one/a"):
        (home / ".ssh" / name).parent.mkdir(exist_ok=True)
        (home / ".ssh" / name).write_text("User me # a comment\n" if name == "one/a" else "User me\n")
    (home / "config").write_text(f"User me\n{line}\n")
    where = f"{home}/.ssh/one/a line 1" if line == "Include one/*" else f"{home}/config line 2"
    assert difference([home / "config"]) == where


def test_files_that_include_each_other_come_to_an_end(home: Path) -> None:
    (home / ".ssh/config").write_text("Include config\n")
    assert difference([home / ".ssh/config"]) == f"{home}/.ssh/config line 1"


def test_one_that_is_named_stands_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "SYSTEM_FILE", home / "system")
    assert config_files(None) == []
    for name in (".ssh/config", "system", "named"):
        (home / name).write_text("")
    assert config_files(None) == [home / ".ssh/config", home / "system"]
    assert config_files(home / "named") == [home / "named"]


def test_what_ssh_answers_is_a_file_for_asyncssh(home: Path) -> None:
    (home / "config").write_text(
        "HostName fe80::1%%eth0\nProxyCommand nc %h %p %%\nIdentityFile ~/key\nConnectTimeout 1m\n"
        "PubkeyAuthentication yes\n"
    )
    with answer_of_ssh("worker-0", 2022, "me", home / "config") as files:
        lines = files[0].read_text().splitlines()
    assert not files[0].exists()
    expected = {
        "hostname fe80::1%%eth0",
        "proxycommand nc %h %p %%",
        "identityfile ~/key",
        "connecttimeout 60",
        "pubkeyauthentication yes",
        "user me",
        "port 2022",
    }
    assert expected <= set(lines)
    assert not any(line.startswith(("kex", "host worker")) for line in lines if "algorithms" not in line)


def test_without_ssh_that_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config").write_text("")
    monkeypatch.setenv("PATH", str(home))
    with (
        pytest.raises(UsageError, match="worker-0: `ssh -G`, which reads this ssh_config, cannot be run: "),
        answer_of_ssh("worker-0", None, None, home / "config"),
    ):
        pass


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "config").mkdir()
    with pytest.raises(UsageError, match=r"/config: cannot be read: Is a directory"):
        difference([home / "config"])
