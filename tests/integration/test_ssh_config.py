"""What ssh_config, known_hosts, the agent and certificates say, against real servers: as `ssh` would take it."""

import os
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nornir.core.configuration import Config, SSHConfig

from podroutes.errors import AuthenticationError, HostKeyError, UsageError
from podroutes.plugins.connections.ssh.host import SshHost
from tests.integration import ssh_site
from tests.integration.security_key import SecurityKey
from tests.integration.ssh_server import Sshd, User, public_key, ssh_agent, ssh_keygen
from tests.integration.ssh_site import Site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts sshd, which needs root")

# As pytest finds them.
folder, key, own, clean = ssh_site.folder, ssh_site.key, ssh_site.own, ssh_site.clean


def config_of(path: Path, text: str) -> Config:
    file = path / "ssh_config"
    file.write_text(textwrap.dedent(text))
    return Config(ssh=SSHConfig(config_file=str(file)))


def base(site: Site, known_hosts: Path | None = None, port: int | None = None) -> str:
    """Where the server is, and what is trusted; without keys."""
    return (
        f"HostName 127.0.0.1\nPort {port or site.server.port}\nUser root\n"
        f"UserKnownHostsFile {known_hosts or site.folder / 'known_hosts'}\nGlobalKnownHostsFile none\n"
    )


def log_in(site: Site, config: Config, host: str = "w0", **extras: Any) -> None:  # noqa: ANN401  # settings
    with site.connect(None, host=host, port=None, config=config, **extras) as connection:
        assert isinstance(connection, SshHost)
        assert connection.run_script("echo in", timeout=20).stdout == "in\n"


def fail(site: Site, expected: type[Exception], config: Config, host: str = "w0", **extras: object) -> str:
    return site.fail(expected, None, host=host, port=None, config=config, **extras)  # type: ignore[arg-type]


# ssh_config


def test_an_include_inside_a_host_block_counts_for_that_host(own: Site, tmp_path: Path) -> None:
    (tmp_path / "inc").write_text(f"{base(own)}IdentityFile {own.key}\nHost other\n User nobody\n")
    log_in(own, config_of(tmp_path, f"Host w*\n  Include {tmp_path}/inc\nHost *\n  User nobody\n"))


def test_files_of_one_include_are_read_in_the_order_of_their_names(own: Site, tmp_path: Path) -> None:
    for number, user in enumerate(["root", "a", "b", "c", "d", "e"]):
        (tmp_path / f"{number}.conf").write_text(f"User {user}\n")
    text = f"Include {tmp_path}/*.conf\n{base(own)}IdentityFile {own.key}\n"
    log_in(own, config_of(tmp_path, text))


def test_a_word_after_match_that_nobody_knows_is_an_error_that_names_file_and_line(own: Site, tmp_path: Path) -> None:
    config = config_of(tmp_path, f"{base(own)}Match phase-of-moon full\n User wrong\n")
    said = fail(own, UsageError, config)
    assert f"{tmp_path}/ssh_config line 6" in said


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("tagged vpn", False),
        ("host 127.0.0.1", True),
        ("originalhost w0", True),
        ("!originalhost w0", False),
        ("localnetwork 127.0.0.0/8", True),
        ("localnetwork 203.0.113.0/24", False),
        ('exec "test -d /"', True),
        ('exec "test %n = w0"', True),
        ('exec "test %h = 192.0.2.1"', False),
        ("user root", True),
        ("canonical", False),
        ("final", True),
        ("all", True),
    ],
)
def test_every_word_of_match(own: Site, tmp_path: Path, condition: str, matches: bool) -> None:
    text = f"{base(own)}Match {condition}\n IdentityFile {own.key}\n"
    config = config_of(tmp_path, text)
    if matches:
        log_in(own, config)
    else:
        assert "has nothing to let user root in with" in fail(own, AuthenticationError, config)


@pytest.mark.parametrize(
    "line",
    [
        "IdentityFile %d/k-%n-%r-%p-%h",
        "IdentityFile ${PODROUTES_KEYS}/k-w0-root-{port}-127.0.0.1",
        "IdentityFile ~/k-w0-root-{port}-127.0.0.1",
        'IdentityFile "~/k-w0-root-{port}-127.0.0.1" # with a comment behind it',
        "IdentityFile=~/k-w0-root-{port}-127.0.0.1",
        "IdentityFile ~/k%%-100",
    ],
)
def test_tokens_and_variables(own: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("PODROUTES_KEYS", str(tmp_path))
    for name in (f"k-w0-root-{own.server.port}-127.0.0.1", "k%-100"):
        (tmp_path / name).symlink_to(own.key)
    log_in(own, config_of(tmp_path, f"{base(own)}{line.replace('{port}', str(own.server.port))}\n"))


@pytest.mark.parametrize("name", ["${PODROUTES_KEYS}/known", "~/known", "%d/known"])
def test_known_hosts_by_variables_and_tokens(
    own: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PODROUTES_KEYS", str(tmp_path))
    (tmp_path / "known").write_text(own.server.known_hosts_line())
    if "%d" in name:
        name = name.replace("%d", str(tmp_path))  # `ssh` takes it from the user database, not from HOME
    text = base(own).replace(str(own.folder / "known_hosts"), name)
    log_in(own, config_of(tmp_path, f"{text}IdentityFile {own.key}\n"))


def test_what_asyncssh_cannot_do_is_said_for_the_host_that_it_is_set_for(own: Site, tmp_path: Path) -> None:
    text = f"Host w0\n RevokedHostKeys /etc/passwd\nHost *\n{base(own)}IdentityFile {own.key}\n"
    config = config_of(tmp_path, text)
    assert fail(own, UsageError, config) == (
        "w0: ssh_config sets revokedhostkeys /etc/passwd, which is not supported: write @revoked lines into known_hosts"
    )
    log_in(own, config, host="w1")


def test_an_ssh_config_that_is_named_has_to_be_there(own: Site, tmp_path: Path) -> None:
    said = fail(own, UsageError, Config(ssh=SSHConfig(config_file=f"{tmp_path}/none")))
    assert said == f"w0: there is no ssh_config {tmp_path}/none"


def test_without_any_ssh_config_the_usual_files_count(own: Site, tmp_path: Path) -> None:
    """As Nornir's configuration is where nobody says anything about ssh: it names a file that need not be there."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").symlink_to(own.key)
    (tmp_path / ".ssh/known_hosts").symlink_to(own.folder / "known_hosts")
    with own.connect("root", config=Config()) as connection:
        assert connection.run_script("echo in", timeout=20).stdout == "in\n"


@pytest.fixture
def link(tmp_path: Path) -> Iterator[str]:
    """A device with an address of its link alone; the way to it needs its zone."""
    name = f"zone{os.getpid() % 10**8}"
    for command in ("add {0} type veth peer name {0}p", "set {0}p up", "set {0} up"):
        subprocess.run(["ip", "link", *command.format(name).split()], check=True)
    subprocess.run(["ip", "address", "add", "fe80::aff:fef0:14/64", "dev", name, "nodad"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


@pytest.mark.parametrize("where", ["ssh_config", "inventory"])
def test_an_address_with_a_zone(own: Site, tmp_path: Path, link: str, where: str) -> None:
    own.server.stop()
    own.server.config = "ListenAddress ::\n"
    own.server.start()
    known = tmp_path / "known"
    known.write_text(own.server.known_hosts_line(f"fe80::aff:fef0:14%{link}"))
    host = "w0" if where == "ssh_config" else f"fe80::aff:fef0:14%{link}"
    name = f"HostName fe80::aff:fef0:14%%{link}" if where == "ssh_config" else ""
    text = base(own, known).replace("HostName 127.0.0.1", name)
    log_in(own, config_of(tmp_path, f"{text}IdentityFile {own.key}\n"), host=host)


# Keys, agents, certificates


def test_identity_agent_is_the_agent_that_is_asked(own: Site, tmp_path: Path) -> None:
    with ssh_agent(own.key) as socket:
        (tmp_path / "agent.sock").symlink_to(socket)
        log_in(own, config_of(tmp_path, f"{base(own)}IdentityAgent ~/agent.sock\n"))


@pytest.mark.parametrize("agent", ["SSH_AUTH_SOCK", "$OTHER_SOCK", "${OTHER_SOCK}"])
def test_identity_agent_by_a_variable(own: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str) -> None:
    with ssh_agent(own.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK" if agent == "SSH_AUTH_SOCK" else "OTHER_SOCK", socket)
        log_in(own, config_of(tmp_path, f"{base(own)}IdentityAgent {agent}\n"))


def test_identity_agent_none_asks_no_agent(own: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ssh_agent(own.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        said = fail(own, AuthenticationError, config_of(tmp_path, f"{base(own)}IdentityAgent none\n"))
    assert "has nothing to let user root in with" in said


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_an_identity_file_may_be_the_public_half_of_the_agents_key(
    own: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    held, other = ssh_keygen(tmp_path / "held", kind), ssh_keygen(tmp_path / "other")
    own.server.authorize(held)
    config = config_of(tmp_path, f"{base(own)}IdentityFile {tmp_path}/held.pub\nIdentitiesOnly yes\n")
    with ssh_agent(other, held) as socket:
        held.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        log_in(own, config)
        own.server.authorize(other)
        said = fail(own, AuthenticationError, config)
        assert said == f"w0: the host refused user root; tried: agent key {tmp_path}/held.pub"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    said = fail(own, AuthenticationError, config)
    assert f"key file {tmp_path}/held.pub is a public key, and the agent does not have the private one" in said


@pytest.mark.parametrize("line", ["", "IdentityFile {}/sk.pub\nIdentitiesOnly yes\n"], ids=["any", "named"])
def test_a_security_key_in_the_agent(own: Site, tmp_path: Path, line: str) -> None:
    key = SecurityKey()
    (tmp_path / "sk.pub").write_text(key.public)
    own.server.authorize(tmp_path / "sk")
    config = config_of(tmp_path, f"{base(own)}IdentityAgent {tmp_path}/agent\n{line.format(tmp_path)}")
    with key.agent(tmp_path / "agent"):
        log_in(own, config)


def sign(authority: Path, public: Path, *options: str) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "a-name", *options, str(public)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


@pytest.fixture
def certified(folder: Path, tmp_path: Path) -> Site:
    """A server that lets in whoever has a certificate of an authority, and has one of its own host's."""
    authority = ssh_keygen(tmp_path / "authority")
    key = ssh_keygen(tmp_path / "user-key")
    path = folder / f"certified-{tmp_path.name}"
    server = Sshd(path, [User("admin")])
    server.authorize()
    sign(authority, Path(f"{server.host_keys[0]}.pub"), "-h", "-n", "127.0.0.1,w0.example")
    server.config = f"TrustedUserCAKeys {tmp_path}/authority.pub\nHostCertificate {server.host_keys[0]}-cert.pub\n"
    (path / "known_hosts").write_text(f"@cert-authority [*]:{server.port} {public_key(authority)}\n")
    return Site(path, server, key)


@pytest.mark.parametrize("where", ["beside the key", "CertificateFile", "agent", "CertificateFile for the agent's key"])
def test_user_certificates(certified: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    sign(tmp_path / "authority", Path(f"{certified.key}.pub"), "-n", "root")
    beside = tmp_path / "user-key-cert.pub"
    lines = f"IdentityFile {certified.key}\n"
    with certified.server, ssh_agent() as socket:
        if "agent" in where:
            monkeypatch.setenv("SSH_AUTH_SOCK", socket)
            if where != "agent":
                beside.rename(tmp_path / "elsewhere")
            subprocess.run(["ssh-add", "-q", str(certified.key)], check=True, capture_output=True)
            certified.key.unlink()
            lines = (
                "" if where == "agent" else f"IdentityFile {certified.key}.pub\nCertificateFile {tmp_path}/elsewhere\n"
            )
        elif where == "CertificateFile":
            beside.rename(tmp_path / "elsewhere")
            lines += f"CertificateFile {tmp_path}/elsewhere\n"
        log_in(certified, config_of(tmp_path, f"{base(certified)}{lines}"))


def test_a_certificate_that_is_refused_is_named(certified: Site, tmp_path: Path) -> None:
    sign(tmp_path / "authority", Path(f"{certified.key}.pub"), "-n", "somebody")
    with certified.server:
        config = config_of(tmp_path, f"{base(certified)}IdentityFile {certified.key}\n")
        said = fail(certified, AuthenticationError, config)
    assert said == (f"w0: the host refused user root; tried: {certified.key} with its certificate, {certified.key}")


# The host's key


def test_a_host_that_a_known_authority_has_signed(certified: Site, tmp_path: Path) -> None:
    sign(tmp_path / "authority", Path(f"{certified.key}.pub"), "-n", "root")
    lines = f"{base(certified)}IdentityFile {certified.key}\n"
    with certified.server:
        log_in(certified, config_of(tmp_path, lines))
        # By another name than the certificate has.
        said = fail(
            certified, HostKeyError, config_of(tmp_path, lines.replace("HostName 127.0.0.1", "HostName localhost"))
        )
        assert said.startswith(f"w0: host certificate of w0 (localhost:{certified.server.port}) is not valid: ")
        # An alias stands for name and port.
        authority = public_key(tmp_path / "authority")
        (certified.folder / "known_hosts").write_text(f"@cert-authority *.example {authority}\n")
        log_in(certified, config_of(tmp_path, f"{lines}HostKeyAlias w0.example\n"))


def test_a_host_that_an_unknown_authority_has_signed(certified: Site, tmp_path: Path) -> None:
    sign(tmp_path / "authority", Path(f"{certified.key}.pub"), "-n", "root")
    known = certified.folder / "known_hosts"
    known.write_text("")
    config = config_of(tmp_path, f"{base(certified)}IdentityFile {certified.key}\n")
    with certified.server:
        said = fail(certified, HostKeyError, config)
        name = f"[127.0.0.1]:{certified.server.port}"
        assert said.startswith(f"w0: host key of {name} is signed by a CA that is not known (ssh-ed25519 SHA256:")
        # What it says is enough.
        _, _, line = said.partition(f"after checking it, add to {known}: ")
        known.write_text(f"{line}\n")
        log_in(certified, config)


@pytest.mark.parametrize("revoked", ["host", "authority"])
def test_a_revoked_key_is_never_trusted(certified: Site, tmp_path: Path, revoked: str) -> None:
    known = certified.folder / "known_hosts"
    key = certified.server.host_keys[0] if revoked == "host" else tmp_path / "authority"
    known.write_text(f"{certified.server.known_hosts_line()}{known.read_text()}@revoked * {public_key(key)}\n")
    with certified.server:
        said = fail(certified, HostKeyError, config_of(tmp_path, base(certified)))
    assert said.endswith(f"is revoked ({known} line 3): do not trust this host")


def test_a_plain_host_whose_key_is_revoked_for_its_address(own: Site, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"{own.server.known_hosts_line()}@revoked 127.0.0.1 {public_key(own.server.host_keys[0])}\n")
    said = fail(own, HostKeyError, config_of(tmp_path, base(own, known)))
    assert said.endswith(f"is revoked ({known} line 2): do not trust this host")


@pytest.mark.parametrize("name", ["/dev/null", "none"])
def test_where_no_file_is_kept_one_has_to_be_named(own: Site, tmp_path: Path, name: str) -> None:
    text = base(own).replace(str(own.folder / "known_hosts"), name)
    said = fail(own, HostKeyError, config_of(tmp_path, f"{text}StrictHostKeyChecking no\nIdentityFile {own.key}\n"))
    assert "is not known (ssh-ed25519 SHA256:" in said
    assert said.endswith("no file of known hosts is read: name one in UserKnownHostsFile, then connect once with ssh")


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("names", ["{alias}", "other,{alias}", "*.example", "!nobody,{alias}", "{upper}"])
def test_host_key_alias(own: Site, tmp_path: Path, names: str, hashed: bool) -> None:
    known = tmp_path / "known"
    names = names.format(alias="w0.example", upper="W0.Example")
    broken = "a line that nobody understands\n@who knows\n|1|x|y ssh-ed25519 AAAA\n"
    known.write_text(f"{broken}{names} {public_key(own.server.host_keys[0])}\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=False, capture_output=True)
    log_in(own, config_of(tmp_path, f"{base(own, known)}IdentityFile {own.key}\nHostKeyAlias w0.example\n"))


def test_a_key_that_is_known_for_the_address_alone_is_not_taken_for_another_name(own: Site, tmp_path: Path) -> None:
    text = base(own).replace("HostName 127.0.0.1", "HostName localhost")
    said = fail(own, HostKeyError, config_of(tmp_path, f"{text}IdentityFile {own.key}\n"))
    assert f"host key of [localhost]:{own.server.port} is not known" in said


def test_a_host_that_shows_another_kind_of_key_than_the_known_one(own: Site, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{own.server.port} {public_key(ssh_keygen(tmp_path / 'other', 'ecdsa'))}\n")
    said = fail(own, HostKeyError, config_of(tmp_path, base(own, known)))
    assert f"host key of [127.0.0.1]:{own.server.port} is not known (ssh-ed25519 SHA256:" in said
