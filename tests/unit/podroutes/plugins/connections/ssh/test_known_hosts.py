import base64
import hmac
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.plugins.connections.ssh.known_hosts import TrustedKeys
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.plugins.connections.ssh.target import resolve_target

# GitHub's published ed25519 key, and another one.
GITHUB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ZERO = base64.b64encode(base64.b64decode(GITHUB.split()[1])[:-32] + bytes([1]) * 32).decode()
OTHER = f"ssh-ed25519 {ZERO}"
RSA = asyncssh.generate_private_key("ssh-rsa", key_size=1024).export_public_key().decode().strip()
CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com"
SHOWN = asyncssh.import_public_key(GITHUB)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("known")


def known(folder: Path, text: str, host: str = "worker-0", port: int = 22, **extras: object) -> TrustedKeys:
    """What files say of a host: one with a text, and one that is not there."""
    (folder / "F").write_text(text)
    config = folder / "config"
    if not config.exists():
        config.write_text(f"UserKnownHostsFile {folder}/F {folder}/missing\nGlobalKnownHostsFile none\n")
    return TrustedKeys(resolve_target(SshParameters(host, "kim", None, port, config, parse_settings(extras))))


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
def test_a_known_key_is_found(folder: Path, names: str, host: str, port: int) -> None:
    text = f"# comment\n\n{names} {GITHUB} me@here\n"
    assert known(folder, text, host, port).keys == [SHOWN]


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
        (f"{hashed('worker-0')} {OTHER}", "/F line 1 has another key"),
        (f"@revoked worker-0 {OTHER}", "is not known"),
    ],
)
def test_why_any_other_key_is_refused(folder: Path, text: str, said: str) -> None:
    trusted = known(folder, text)
    assert SHOWN not in trusted.keys
    message = trusted.explain(SHOWN, is_authority=False)
    assert said in message
    assert "\n" not in message


def test_a_key_is_revoked_whatever_the_port(folder: Path) -> None:
    text = f"[worker-0]:2022 {GITHUB}\n@revoked worker-0 {GITHUB}\n"
    trusted = known(folder, text, port=2022)
    assert trusted.revoked == [SHOWN]
    assert trusted.revocation() == f"{folder}/F line 2"
    assert known(folder, text, "other").revocation() is None


def test_a_different_key_without_the_port_is_the_hosts_as_for_ssh(folder: Path) -> None:
    said = known(folder, f"worker-0 {OTHER}", port=2022).explain(SHOWN, is_authority=False)
    assert "/F line 1 has another key" in said


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
def test_what_is_known_is_asked_for_first(folder: Path, text: str, first: list[str]) -> None:
    found = known(folder, text).algorithms()
    assert found[: len(first)] == first
    assert {"ssh-ed25519", "rsa-sha2-512"} <= set(found)
    assert "ssh-rsa" not in found


def test_files_are_read_again_after_a_change(tmp_path: Path) -> None:
    assert known(tmp_path, f"h {OTHER}\n", "i").keys == []
    (tmp_path / "missing").write_text(f"i {GITHUB}\n")
    assert known(tmp_path, f"h {OTHER}\n", "i").keys == [SHOWN]


@pytest.mark.parametrize(
    ("inventory", "found"),
    [
        ({}, True),
        ({"system_host_keys": False}, False),
        ({"system_host_keys": False, "alt_host_keys": True, "alt_key_file": "{}"}, True),
        ({"system_host_keys": False, "alt_key_file": "{}"}, False),
    ],
)
def test_known_hosts_files_may_be_chosen(tmp_path: Path, inventory: dict[str, Any], found: bool) -> None:
    (tmp_path / "own").write_text(f"worker-0 {GITHUB}\n")
    extras: dict[str, Any] = {key: f"{tmp_path}/own" if value == "{}" else value for key, value in inventory.items()}
    assert known(tmp_path, f"worker-0 {GITHUB}\n", **extras).keys == ([SHOWN] if found else [])


def test_dev_null_is_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("UserKnownHostsFile /dev/null\nGlobalKnownHostsFile none\n")
    assert "no file of known hosts is read" in known(tmp_path, "").explain(SHOWN, is_authority=False)


@given(st.text(alphabet=" \t\n#@|*,!abAB=", max_size=60))
def test_no_text_breaks_the_parser(folder: Path, text: str) -> None:
    known(folder, text)


@given(st.lists(st.sampled_from(["a", "b*", "!b", "c?", "|1|", "|1|YQ==|YQ==", "", "10.0.0.0/8"]), min_size=1))
def test_no_pattern_breaks_the_search(folder: Path, names: list[str]) -> None:
    known(folder, f"{','.join(names)} {GITHUB}", "bc")
