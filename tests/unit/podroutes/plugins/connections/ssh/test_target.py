import getpass
from pathlib import Path
from typing import Any

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.plugins.connections.ssh.target import SshTarget, resolve_target


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def resolve(
    home: Path,
    config: str | None,
    host: str = "worker-0",
    *,
    port: int | None = None,
    username: str | None = None,
    **extras: object,
) -> SshTarget:
    file = home / ".ssh" / "config"
    if config is not None:
        file.write_text(config)
    named = file if file.exists() else home / ".ssh"  # which is no file
    return resolve_target(SshParameters(host, username, None, port, named, parse_settings(extras)))


def said(target: SshTarget) -> dict[str, object]:
    return {
        "hostname": target.options.host,
        "port": target.options.port,
        "username": target.username,
        "identity_files": target.paths("IdentityFile"),
        "certificate_files": target.paths("CertificateFile"),
        "identities_only": target.options.config.get("IdentitiesOnly"),
        "agent": target.text("IdentityAgent"),
        "known_hosts_files": [*target.paths("UserKnownHostsFile", ("usual",)), *target.paths("GlobalKnownHostsFile")],
        "host_key_alias": target.text("HostKeyAlias"),
        "proxy_command": target.proxy_command,
        "jump": target.jump,
        "connect_timeout": target.connect_timeout,
    }


def test_without_a_file_the_usual_values_count(home: Path) -> None:
    assert said(resolve(home, None)) == {
        "hostname": "worker-0",
        "port": 22,
        "username": getpass.getuser(),
        "identity_files": [],
        "certificate_files": [],
        "identities_only": None,
        "agent": None,
        "known_hosts_files": [Path("usual")],
        "host_key_alias": None,
        "proxy_command": None,
        "jump": None,
        "connect_timeout": 10.0,
    }


FULL = """
Host worker-*
  HostName 192.0.2.20
  Port 2022
  User ubuntu
  IdentityFile ~/.ssh/%r_%h
  IdentityFile ~/.ssh/second
  IdentitiesOnly yes
  CertificateFile ~/.ssh/cert
  IdentityAgent ~/agent
  UserKnownHostsFile ~/.ssh/lab "/srv/known hosts"
  GlobalKnownHostsFile none
  ConnectTimeout 3
"""


def test_everything_is_taken_from_the_file(home: Path) -> None:
    assert said(resolve(home, FULL)) == {
        "hostname": "192.0.2.20",
        "port": 2022,
        "username": "ubuntu",
        "identity_files": [home / ".ssh/ubuntu_192.0.2.20", home / ".ssh/second"],
        "certificate_files": [home / ".ssh/cert"],
        "identities_only": True,
        "agent": "~/agent",
        "known_hosts_files": [home / ".ssh/lab", Path("/srv/known hosts")],
        "host_key_alias": None,
        "proxy_command": None,
        "jump": None,
        "connect_timeout": 3.0,
    }


def test_the_inventory_wins(home: Path) -> None:
    (home / "k").write_text("")
    target = resolve(home, FULL, port=2200, username="root", conn_timeout=7.5, key_file="~/k")
    assert (target.options.port, target.username, target.connect_timeout) == (2200, "root", 7.5)
    assert target.options.host == "192.0.2.20"


def test_tokens_take_the_inventorys_user_and_port(home: Path) -> None:
    config = "Host *\n Port 22\n IdentityFile ~/.ssh/%r\n ProxyCommand nc -b %h:%p %r\n"
    target = resolve(home, config, port=2200, username="kim")
    assert target.paths("IdentityFile") == [home / ".ssh/kim"]
    assert target.proxy_command == "nc -b worker-0:2200 kim"


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ("Match user kim\n Port 5\n", 5),
        ("Match host worker-*\n Port 6\n", 6),
        ("Match originalhost worker-0\n Port 7\n", 7),
        (f"Match localuser {getpass.getuser()}\n Port 8\n", 8),
        ("Match all\n Port 9\n", 9),
        ("Host worker-* !worker-0\n Port 10\n", 22),
        ("Port=11\n", 11),
        ("Port 12\nPort 13\n", 12),
    ],
)
def test_blocks_are_matched_as_ssh_matches_them(home: Path, config: str, want: int) -> None:
    assert resolve(home, config, username="kim").options.port == want


def test_included_files_stand_in_their_place(home: Path) -> None:
    (home / ".ssh/conf.d").mkdir()
    (home / ".ssh/conf.d/10-lab").write_text("Host worker-0\n Port 100\nInclude ../more\n")
    (home / ".ssh/conf.d/20-lab").write_text("Host worker-1\n Port 101\n")
    (home / "absolute").write_text("User included\n")
    config = f"Include conf.d/*\nInclude {home}/absolute missing\nConnectTimeout 4\nHost *\n Port 102\n"
    target = resolve(home, config)
    assert (target.options.port, target.username, target.connect_timeout) == (100, "included", 4.0)
    assert resolve(home, config, "worker-2").options.port == 102


def test_an_include_inside_a_block_counts_in_it(home: Path) -> None:
    (home / ".ssh/more").write_text("Port 99\nHost other\n User kim\n")
    config = "Host worker-0 other\n Include more\nHost *\n User me\n"
    targets = [resolve(home, config, host) for host in ("worker-0", "other", "third")]
    assert [(target.options.port, target.username) for target in targets] == [(99, "me"), (99, "kim"), (22, "me")]


def test_files_that_include_each_other_are_an_error_as_for_ssh(home: Path) -> None:
    with pytest.raises(UsageError, match="oo many recursive configuration includes"):
        resolve(home, f"Include {home}/.ssh/config\nPort 5\n")


def test_a_changed_file_is_read_again(home: Path) -> None:
    assert resolve(home, "Port 5\n").options.port == 5
    assert resolve(home, "Port 6\n").options.port == 6


def test_an_alias_for_the_host_key_has_no_port(home: Path) -> None:
    target = resolve(home, "HostKeyAlias cluster\nPort 2022\n")
    assert (target.text("HostKeyAlias"), target.options.port) == ("cluster", 2022)


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ("ProxyCommand ssh bastion-0 -W %h:%p\n", "ssh bastion-0 -W worker-0:22"),
        ("ProxyCommand none\nProxyJump bastion-0\n", None),
        ("ProxyJump none\nProxyCommand nc %h %p\n", "nc worker-0 22"),
        ("ProxyCommand nc %h %p\nProxyJump bastion-0\n", "nc worker-0 22"),
    ],
)
def test_the_first_of_proxy_command_and_jump_counts(home: Path, config: str, want: str | None) -> None:
    assert resolve(home, config).proxy_command == want


def chain(target: SshTarget) -> list[str]:
    """The jump hosts on the way, the nearest first."""
    jump = target.jump
    return [] if jump is None else [*chain(jump), f"{jump.username}@{jump.options.host}:{jump.options.port}"]


@pytest.mark.parametrize(
    ("jumps", "expected"),
    [
        ("bastion", ["kim@bastion:22"]),
        ("me@bastion:2200", ["me@bastion:2200"]),
        ("ssh://me@bastion:22", ["me@bastion:22"]),
        ("[2001:db8::1]:23", ["kim@2001:db8::1:23"]),
        ("a,me@b:1,c", ["kim@a:22", "me@b:1", "kim@c-address:22"]),
        ("d", ["kim@a:22", "kim@d:22"]),
        ("none", []),
        ("worker-0", []),
    ],
)
def test_jump_hosts_are_written_as_for_ssh(home: Path, jumps: str, expected: list[str]) -> None:
    config = (
        f"Host worker-0\n ProxyJump {jumps}\nHost c\n HostName c-address\nHost d\n ProxyJump a\nHost *\n User kim\n"
    )
    target = resolve(home, config, conn_timeout=4, ssh_strict=False, key_file=None)
    assert chain(target) == expected
    assert target.proxy_command is None
    assert target.jump is None or target.jump.connect_timeout == 4


def test_hosts_behind_one_jump_host_share_it(home: Path) -> None:
    config = "Host worker-*\n ProxyJump bastion,inner\n"
    one, other = resolve(home, config, "worker-0"), resolve(home, None, "worker-1", sudo=False)
    assert one.jump is not None
    assert other.jump is not None
    assert one.jump.way == other.jump.way
    assert len(one.way) == 3
    patient = resolve(home, None, conn_timeout=4).jump
    assert patient is not None
    assert patient.way != one.jump.way


def test_a_jump_host_that_is_behind_itself_in_every_block_is_reached_directly(home: Path) -> None:
    assert chain(resolve(home, "Host *\n User kim\n ProxyJump bastion\n")) == ["kim@bastion:22"]


def test_jump_hosts_that_are_behind_each_other_come_to_an_end(home: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used as a jump host"):
        resolve(home, "Host a\n ProxyJump b\nHost *\n ProxyJump a\n")


@pytest.mark.parametrize(
    ("config", "host", "inventory"),
    [
        ("", "a;reboot", {}),
        ("", "-oProxyCommand=x", {}),
        ("", "$(reboot)", {}),
        ("", "worker-0", {"username": "x y"}),
        ("", "worker-0", {"username": "-x"}),
        ("HostName `reboot`\n", "worker-0", {}),
        ("User a|b\n", "worker-0", {}),
        ("ProxyJump a;b\n", "worker-0", {}),
        ("ProxyJump -oX\n", "worker-0", {}),
        ("ProxyJump a@b@c:d\n", "worker-0", {}),
        ("Port no-such-service\n", "worker-0", {}),
        ("ConnectTimeout soon\n", "worker-0", {}),
        ("Match host\n", "worker-0", {}),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(home: Path, config: str, host: str, inventory: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(home, config, host, **inventory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keyword", ["Match exec", "match host worker-* exec"])
def test_match_exec_asks_the_command(home: Path, keyword: str) -> None:
    assert resolve(home, f'{keyword} "test %h = worker-0"\n  Port 2222\n').options.port == 2222
    assert resolve(home, f'{keyword} "test %h = worker-1"\n  Port 2222\n').options.port == 22


def test_match_exec_has_no_input_and_prints_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = 'Match exec "cat; echo out; echo error >&2; missing-command || test ! -t 0"\n  Port 2222\n'
    assert resolve(home, config).options.port == 2222
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "config", [None, "", "User ubuntu\nPort 2022", "Host *\n  IdentityFile ~/.ssh/key\nMatch all\n  User me"]
)
def test_a_file_that_is_the_same_for_all_hosts_leaves_each_its_own_name(home: Path, config: str | None) -> None:
    one, other = (resolve(home, config, host) for host in ("worker-0", "10.240.0.20"))
    assert (one.alias, one.options.host, one.text("HostKeyAlias")) == ("worker-0", "worker-0", None)
    assert (other.alias, other.options.host, other.text("HostKeyAlias")) == ("10.240.0.20", "10.240.0.20", None)


@pytest.mark.parametrize(
    ("config", "hostname"),
    [
        ("HostName %h.example", "worker-0.example"),
        ("HostName gateway.example", "gateway.example"),
        ("Host * !worker-0\n  HostName other.example", "worker-0"),
        ("Host worker-0\n  HostName own.example\nHost *\n  HostName other.example", "own.example"),
        ("Match host worker-0\n  HostName matched.example", "matched.example"),
    ],
)
def test_what_a_file_says_of_one_host_is_never_another_s(home: Path, config: str, hostname: str) -> None:
    assert resolve(home, config, "worker-9").options.host != "worker-0.example"
    assert resolve(home, config, "worker-0").options.host == hostname


def test_another_home_has_other_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = "IdentityFile ~/.ssh/key"
    assert resolve(home, config).paths("IdentityFile") == [home / ".ssh/key"]
    other = home / "other"
    (other / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(other))
    target = resolve(other, config)
    assert target.paths("IdentityFile") == [other / ".ssh/key"]
