import base64
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.errors import HostKeyError
from podroutes.plugins.connections.ssh.known_hosts import (
    KnownHosts,
    fingerprint,
    load_known_hosts,
    parse_known_hosts,
)

ONE, TWO = (base64.b64encode(text * 8).decode() for text in (b"one!", b"two!"))
ALL_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def known(text: str) -> KnownHosts:
    return KnownHosts(parse_known_hosts(text, "F"))


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
        ("*.example.org", "a.b.example.org", 22),
        ("worker-?", "worker-7", 22),
        ("[worker-*]:2022", "worker-7", 2022),
        (hashed("worker-0"), "worker-0", 22),
        (hashed("[worker-0]:2022"), "worker-0", 2022),
        (hashed("worker-0"), "Worker-0", 22),
    ],
)
def test_a_known_key_is_accepted(names: str, host: str, port: int) -> None:
    known(f"# comment\n\n{names} ssh-ed25519 {ONE} me@here\n").verify(host, port, "ssh-ed25519", ONE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not known (ssh-ed25519 SHA256:"),
        (f"other ssh-ed25519 {ONE}", "is not known"),
        (f"[worker-0]:2022 ssh-ed25519 {ONE}", "is not known"),
        (f"worker-0 ecdsa-sha2-nistp256 {ONE}", "is not known"),
        (f"*,!worker-0 ssh-ed25519 {ONE}", "is not known"),
        (f"@cert-authority worker-0 ssh-ed25519 {ONE}", "is not known"),
        (f"#worker-0 ssh-ed25519 {ONE}", "is not known"),
        ("worker-0 ssh-ed25519 *not-base64*", "is not known"),
        ("worker-0 ssh-ed25519", "is not known"),
        (f"|1|x|y ssh-ed25519 {ONE}\n|1|{ONE} ssh-ed25519 {ONE}", "is not known"),
        (f"worker-0 ssh-ed25519 {TWO}", "has changed: it showed ssh-ed25519 SHA256:"),
        (f"{hashed('worker-0')} ssh-ed25519 {TWO}", "F line 1 has another key"),
        (f"worker-0 ssh-ed25519 {ONE}\n@revoked * ssh-ed25519 {ONE}", "is revoked"),
        (f"@revoked worker-0 ssh-ed25519 {TWO}", "is not known"),
    ],
)
def test_any_other_key_is_refused(text: str, said: str) -> None:
    with pytest.raises(HostKeyError) as caught:
        known(text).verify("worker-0", 22, "ssh-ed25519", ONE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_several_keys_is_enough() -> None:
    text = f"worker-0 ssh-ed25519 {TWO}\nworker-0 ssh-ed25519 {ONE}\n"
    known(text).verify("worker-0", 22, "ssh-ed25519", ONE)


def test_a_different_key_without_the_port_does_not_count_as_changed() -> None:
    with pytest.raises(HostKeyError, match=r"\[worker-0\]:2022 is not known"):
        known(f"worker-0 ssh-ed25519 {TWO}").verify("worker-0", 2022, "ssh-ed25519", ONE)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", list(ALL_TYPES)),
        (f"h ecdsa-sha2-nistp256 {ONE}", ["ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]),
        (f"h ssh-rsa {ONE}", ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"]),
        (f"@revoked h ssh-rsa {ONE}", list(ALL_TYPES)),
    ],
)
def test_the_type_of_a_known_key_is_asked_for_first(text: str, want: list[str]) -> None:
    assert known(text).preferred_types("h", 22, ALL_TYPES) == want


def test_the_fingerprint_is_the_one_of_ssh_keygen() -> None:
    # GitHub's published ed25519 key and fingerprint.
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert fingerprint(key) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


def test_files_are_read_once_and_again_after_a_change(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "missing"]
    files[0].write_text(f"h ssh-ed25519 {ONE}\n")
    first = load_known_hosts(files)
    assert load_known_hosts(files) is first
    files[1].write_text(f"i ssh-ed25519 {TWO}\n")
    load_known_hosts(files).verify("i", 22, "ssh-ed25519", TWO)


def test_dev_null_is_an_empty_file() -> None:
    assert load_known_hosts([Path("/dev/null")]).of("h", 22) == []


@given(st.text(alphabet=" \t\n#@|*,!abAB=", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    known(text).of("h", 22)


@given(st.lists(st.sampled_from(["a", "b*", "!b", "c?", "|1|", "|1|YQ==|YQ==", ""]), min_size=1))
def test_no_pattern_breaks_the_search(names: list[str]) -> None:
    known(f"{','.join(names)} ssh-ed25519 {ONE}").of("bc", 22)
