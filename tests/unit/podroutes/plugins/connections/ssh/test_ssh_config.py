"""Where asyncssh reads the same as `ssh`, and where `ssh` has to be asked."""

from pathlib import Path

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh import ssh_config
from podroutes.plugins.connections.ssh.ssh_config import answer_of_ssh, config_files, read_ssh_config, reads_alike


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
        "ProxyCommand ssh -W '[%h]:%p' bastion 2>/dev/null",
        "ProxyJump me@bastion:22,other",
        "Match host a,b user me localnetwork 10.0.0.0/8 tagged x",
        'Match exec "test -d /"',
        "Port=22",
        "UserKnownHostsFile ~/.ssh/known_hosts /dev/null",
        "ControlMaster auto",
        "Include ~/none/*.conf",
        "Include ~/.ssh/plain/*",
    ],
)
def test_where_both_read_the_same(home: Path, line: str) -> None:
    (home / ".ssh/plain").mkdir()
    (home / ".ssh/plain/one").write_text("User me\n")
    (home / "config").write_text(f"{line}\n")
    assert reads_alike(home / "config")


@pytest.mark.parametrize(
    "line",
    [
        "HostName fe80::1%%eth0",
        "Port 22 # the usual one",
        "Host a # not b",
        "UserKnownHostsFile ~/.ssh/known_%h",
        "UserKnownHostsFile ${HOME}/known",
        'Match exec "nc -z %h 22"',
        "Match host a final",
        "Match !canonical all",
        "CanonicalizeHostname yes",
        "RevokedHostKeys /etc/ssh/revoked",
        "KnownHostsCommand /bin/keys %H",
        "IdentityFile a\\ b",
        "Include ~/.ssh/two/*",
        "Include ~/.ssh/one/*",
        "Include two/a",
        "Include %d/x",
    ],
)
def test_where_they_differ(home: Path, line: str) -> None:
    for name in ("two/a", "two/b", "one/a"):
        (home / ".ssh" / name).parent.mkdir(exist_ok=True)
        (home / ".ssh" / name).write_text("User me # a comment\n" if name == "one/a" else "User me\n")
    (home / "config").write_text(f"User me\n{line}\n")
    assert not reads_alike(home / "config")


def test_files_that_include_each_other_come_to_an_end(home: Path) -> None:
    (home / ".ssh/config").write_text("Include ~/.ssh/config\n")
    assert not reads_alike(home / ".ssh/config")


@pytest.mark.parametrize(
    "line", ["ProxyCommand=nc %h 22", "ProxyCommand nc %h 22\nProxyJump b", "ProxyCommand nc %h 22"]
)
def test_where_there_is_a_proxy_command_ssh_says_what_holds(home: Path, line: str) -> None:
    (home / "config").write_text(f"{line}\n")
    options = read_ssh_config("worker-0", None, None, home / "config")
    assert options.config.get("ProxyCommand") == "nc worker-0 22"
    assert options.config.get("ProxyJump") is None


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
    assert set(answer_of_ssh("worker-0", 2022, "me", home / "config")) == {
        "hostname fe80::1%%eth0",
        "proxycommand nc %h %p %%",
        "identityfile ~/key",
        "connecttimeout 60",
        "user me",
        "port 2022",
    }


def test_algorithms_that_are_set_are_ssh_s_answer_too(home: Path) -> None:
    (home / "config").write_text(
        "HostKeyAlgorithms ssh-ed25519 # and no other\nRekeyLimit 1G 1h\nIdentityFile ~/.ssh/id_rsa\n"
    )
    options = read_ssh_config("worker-0", None, None, home / "config")
    assert options.config.get("HostKeyAlgorithms") == "ssh-ed25519"
    assert options.config.get("IdentityFile") == ["~/.ssh/id_rsa"]


def test_without_ssh_that_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config").write_text("")
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(UsageError, match="worker-0: `ssh -G`, which reads this ssh_config, cannot be run: "):
        answer_of_ssh("worker-0", None, None, home / "config")


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "config").mkdir()
    with pytest.raises(UsageError, match=r"/config: cannot be read: Is a directory"):
        reads_alike(home / "config")
