import base64
import hmac
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.plugins.connections.ssh.known_hosts import KnownHosts, algorithms, load_known_hosts
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.target import SshTarget, resolve_target

# GitHub's published ed25519 key, and another one.
GITHUB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ZERO = base64.b64encode(base64.b64decode(GITHUB.split()[1])[:-32] + bytes([1]) * 32).decode()
OTHER = f"ssh-ed25519 {ZERO}"
RSA = asyncssh.generate_private_key("ssh-rsa", key_size=1024).export_public_key().decode().strip()
CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com"
SHOWN = asyncssh.import_public_key(GITHUB)
HERE = Path(__file__).parent / "no-ssh-config"


def target(host: str = "worker-0", port: int = 22) -> SshTarget:
    return resolve_target(SshParameters(host, "kim", None, port, HERE, SshSettings()))


def known(text: str) -> KnownHosts:
    return KnownHosts([(Path("F"), text)])


def hashed(name: str) -> str:
    salt = name.encode().ljust(20, b".")  # the same in every run, so that a case keeps its name
    parts = (salt, hmac.digest(salt, name.encode(), "sha1"))
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in parts)


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("worker-0", "worker-0", 22),
        ("worker-0", "WORKER-0", 22),
        ("Worker-0", "worker-0", 22),
        ("other,worker-0,192.0.2.1", "192.0.2.1", 22),
        ("[worker-0]:2022", "worker-0", 2022),
        ("worker-0", "worker-0", 2022),
        ("[2001:db8::1]:2022", "2001:db8::1", 2022),
        ("2001:db8::1", "2001:db8::1", 22),
        ("fe80::1%eth0", "fe80::1%eth0", 22),
        ("*.example.org", "a.b.example.org", 22),
        ("worker-?", "worker-7", 22),
        ("[worker-*]:2022", "worker-7", 2022),
        ("*,[*]:2223", "worker-7", 2223),
        (hashed("worker-0"), "worker-0", 22),
        (hashed("[worker-0]:2022"), "worker-0", 2022),
        (hashed("worker-0"), "Worker-0", 22),
    ],
)
def test_a_known_key_is_found(names: str, host: str, port: int) -> None:
    text = f"# comment\n\n{names} {GITHUB} me@here\n"
    assert known(text).of(target(host, port)).keys == [SHOWN]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not known (ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU)"),
        (f"other {GITHUB}", "is not known"),
        (f"[worker-0]:2022 {GITHUB}", "is not known"),
        (f"*,!worker-0 {GITHUB}", "is not known"),
        (f"@cert-authority worker-0 {GITHUB}", "is not known"),
        (f"#worker-0 {GITHUB}", "is not known"),
        ("worker-0 ssh-ed25519 *not-base64*", "is not known"),
        ("worker-0 ssh-ed25519", "is not known"),
        (f"|1|x|y {GITHUB}\n|1|{ZERO} {GITHUB}\n@who worker-0 {GITHUB}", "is not known"),
        (f"\nworker-0 {OTHER}", "has changed: it showed ssh-ed25519 SHA256:"),
        (f"{hashed('worker-0')} {OTHER}", "F line 1 has another key"),
        (f"@revoked worker-0 {OTHER}", "is not known"),
    ],
)
def test_why_any_other_key_is_refused(text: str, said: str) -> None:
    lines = known(text)
    assert SHOWN not in lines.of(target()).keys
    message = lines.explain(target(), SHOWN, is_authority=False)
    assert said in message
    assert "\n" not in message


def test_a_key_is_revoked_whatever_the_port() -> None:
    lines = known(f"[worker-0]:2022 {GITHUB}\n@revoked worker-0 {GITHUB}\n")
    assert lines.of(target(port=2022)).revoked == [SHOWN]
    assert lines.revocation(target(port=2022)) == "F line 2"
    assert lines.revocation(target("other")) is None


def test_a_different_key_without_the_port_is_the_hosts_as_for_ssh() -> None:
    assert "F line 1 has another key" in known(f"worker-0 {OTHER}").explain(
        target(port=2022), SHOWN, is_authority=False
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", [CERTIFICATE]),
        (f"worker-0 {RSA}", ["rsa-sha2-256", "rsa-sha2-512", "ssh-ed25519"]),
        (f"@cert-authority * {GITHUB}", [CERTIFICATE]),
        (f"@cert-authority * {GITHUB}\nworker-0 {RSA}", [CERTIFICATE]),
        (f"@revoked worker-0 {GITHUB}", [CERTIFICATE]),
    ],
)
def test_what_is_known_is_asked_for_first(text: str, first: list[str]) -> None:
    found = algorithms(known(text).of(target()))
    assert found[: len(first)] == first
    assert {"ssh-ed25519", "rsa-sha2-512"} <= set(found)
    assert "ssh-rsa" not in found


def test_files_are_read_once_and_again_after_a_change(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "missing"]
    files[0].write_text(f"h {OTHER}\n")
    first = load_known_hosts(files)
    assert load_known_hosts(files) is first
    files[1].write_text(f"i {GITHUB}\n")
    assert load_known_hosts(files).of(target("i")).keys == [SHOWN]


def test_dev_null_is_an_empty_file() -> None:
    assert load_known_hosts([Path("/dev/null")]).of(target()).keys == []


@given(st.text(alphabet=" \t\n#@|*,!abAB=", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    known(text).of(target())


@given(st.lists(st.sampled_from(["a", "b*", "!b", "c?", "|1|", "|1|YQ==|YQ==", "", "10.0.0.0/8"]), min_size=1))
def test_no_pattern_breaks_the_search(names: list[str]) -> None:
    known(f"{','.join(names)} {GITHUB}").of(target("bc"))
