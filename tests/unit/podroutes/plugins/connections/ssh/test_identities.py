import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podroutes.errors import AuthenticationError
from podroutes.plugins.connections.ssh.identities import KeyFileError, Offers, load_key
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.plugins.connections.ssh.target import resolve_target


def keygen(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    bits = ["-b", "1024"] if kind == "rsa" else []
    command = [
        "ssh-keygen",
        "-q",
        "-t",
        kind,
        *bits,
        "-Z",
        "aes256-ctr",
        "-a",
        "1",
        "-N",
        passphrase,
        "-C",
        path.name,
        "-f",
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@contextlib.contextmanager
def agent_of(*keys: Path) -> Iterator[str]:
    """A running agent that holds these keys; yields the path of its socket."""
    with subprocess.Popen(["ssh-agent", "-D"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            path = process.stdout.readline().split("=", 1)[1].split(";")[0]
            for key in keys:
                subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": path})
            yield path
        finally:
            process.terminate()


def offers_of(home: Path, config: str, agent: str = "none", **extras: object) -> tuple[list[str], list[str]]:
    file = home / ".ssh/config"
    file.write_text(f"{config}\nIdentityAgent {agent}\n")
    settings = parse_settings(extras)
    offers = Offers(resolve_target(SshParameters("w", "kim", None, None, file, settings)))

    async def prepare() -> None:
        try:
            await offers.prepare()
        finally:
            offers.close()

    asyncio.run(prepare())
    return [offer.label.replace(str(home), "~") for offer in offers.keys], offers.problems


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_usual_type_of_key_is_loaded(tmp_path: Path, kind: str) -> None:
    path = keygen(tmp_path / kind, kind=kind)
    assert load_key(path, None).get_algorithm()


def test_a_key_is_decrypted_once(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key", "secret")
    assert load_key(path, "secret") is load_key(path, "secret")


@pytest.mark.parametrize(
    ("make", "passphrase", "said"),
    [
        (lambda path: None, None, "does not exist"),
        (lambda path: path.mkdir(), None, "cannot be read: Is a directory"),
        (lambda path: keygen(path, "secret"), None, "needs a passphrase: load it into the agent with ssh-add"),
        (lambda path: keygen(path, "secret"), "wrong", "the passphrase does not fit"),
        (lambda path: path.write_text("nonsense"), None, "holds no private key of a supported type"),
        (lambda path: path.write_text(""), None, "holds no private key of a supported type"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named(
    tmp_path: Path, make: Callable[[Path], object], passphrase: str | None, said: str
) -> None:
    path = tmp_path / "key"
    make(path)
    with pytest.raises(KeyFileError) as caught:
        load_key(path, passphrase)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_any_configured_the_agents_keys_and_the_usual_files_are_offered(home: Path) -> None:
    keygen(home / ".ssh/id_ed25519")
    keygen(home / ".ssh/id_rsa", kind="ecdsa")
    with agent_of(keygen(home / "loose")) as agent:
        assert offers_of(home, "", agent)[0] == ["agent key loose", "~/.ssh/id_ed25519", "~/.ssh/id_rsa"]
        assert offers_of(home, "", agent, use_keys=False)[0] == ["agent key loose"]
        assert offers_of(home, "", agent, use_keys=False, allow_agent=False)[0] == []


def test_configured_keys_come_first_and_the_usual_files_not_at_all(home: Path) -> None:
    for name in (".ssh/id_ed25519", "one", "two"):
        keygen(home / name)
    config = "IdentityFile ~/two\nIdentityFile ~/one\n"
    with agent_of(keygen(home / "loose")) as agent:
        assert offers_of(home, config, agent)[0] == ["~/two", "~/one", "agent key loose"]
        assert offers_of(home, f"{config}IdentitiesOnly yes\n", agent)[0] == ["~/two", "~/one"]
        assert offers_of(home, config, agent, key_file=str(home / "one"))[0] == ["~/one", "agent key loose"]


@pytest.mark.parametrize("name", ["held", "held.pub"])
def test_a_configured_key_that_the_agent_holds_needs_no_file_and_is_offered_once(home: Path, name: str) -> None:
    with agent_of(keygen(home / "held")) as agent:
        (home / "held").unlink()
        assert offers_of(home, f"IdentityFile ~/{name}\n", agent) == ([f"agent key ~/{name}"], [])


@pytest.mark.parametrize("in_agent", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_a_certificate_is_offered_before_its_key(home: Path, in_agent: bool, beside: bool) -> None:
    key, authority = keygen(home / "key"), keygen(home / "authority")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", "kim", f"{key}.pub"]
    subprocess.run(sign, check=True, capture_output=True)
    if not beside:
        (home / "key-cert.pub").rename(home / "cert")
    config = f"IdentityFile ~/key\n{'' if beside else 'CertificateFile ~/cert'}\nIdentitiesOnly yes"
    name = "agent key ~/key" if in_agent else "~/key"
    with agent_of() as agent:
        if in_agent:
            subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": agent})
        assert offers_of(home, config, agent) == ([f"{name} with its certificate", name], [])


def test_a_missing_identity_file_is_remembered_and_the_next_is_offered(home: Path) -> None:
    keygen(home / "one")
    found, problems = offers_of(home, "IdentityFile ~/none\nIdentityFile ~/one\nCertificateFile ~/none-cert\n")
    assert found == ["~/one"]
    assert problems == [
        f"certificate {home}/none-cert cannot be used: [Errno 2] No such file or directory: '{home}/none-cert'",
        f"key file {home}/none does not exist",
    ]


def test_an_agent_that_is_not_there_is_said(home: Path) -> None:
    _, problems = offers_of(home, "", str(home / "no-socket"))
    assert len(problems) == 1
    assert problems[0].startswith("the SSH agent does not answer (")


def test_the_inventorys_own_key_must_be_usable(home: Path) -> None:
    (home / "nonsense").write_text("nonsense")
    with pytest.raises(AuthenticationError, match=r"w: key file .*/nonsense cannot be used"):
        offers_of(home, "", key_file=str(home / "nonsense"))
