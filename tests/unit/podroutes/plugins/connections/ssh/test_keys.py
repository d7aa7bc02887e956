import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from paramiko.agent import AgentKey, AgentSSH

from podroutes.errors import AuthenticationError
from podroutes.plugins.connections.ssh.config import SshTarget, resolve_target
from podroutes.plugins.connections.ssh.keys import KeyFileError, load_key, offers
from podroutes.plugins.connections.ssh.settings import SshSettings, parse_settings


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


def in_agent(path: Path) -> AgentKey:
    return AgentKey(AgentSSH(), load_key(path, None).asbytes(), comment=path.name)


def target_of(home: Path, config: str, **extras: object) -> tuple[SshTarget, SshSettings]:
    file = home / ".ssh/config"
    file.write_text(config)
    settings = parse_settings(extras)
    return resolve_target(host="w", port=None, username="kim", settings=settings, config_file=str(file)), settings


def labels(home: Path, config: str, agent: list[AgentKey], **extras: object) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    found = [
        offer.label.replace(str(home), "~") for offer in offers(*target_of(home, config, **extras), agent, problems)
    ]
    return found, problems


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_usual_type_of_key_is_loaded(tmp_path: Path, kind: str) -> None:
    path = keygen(tmp_path / kind, kind=kind)
    assert load_key(path, None).can_sign()


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
    loose = in_agent(keygen(home / "loose"))
    keygen(home / ".ssh/id_ed25519")
    keygen(home / ".ssh/id_rsa", kind="rsa")
    assert labels(home, "", [loose])[0] == ["agent key loose", "~/.ssh/id_ed25519", "~/.ssh/id_rsa"]
    assert labels(home, "", [loose], use_keys=False)[0] == ["agent key loose"]


def test_configured_keys_come_first_and_the_usual_files_not_at_all(home: Path) -> None:
    loose = in_agent(keygen(home / "loose"))
    keygen(home / ".ssh/id_ed25519")
    keygen(home / "one")
    keygen(home / "two")
    config = "IdentityFile ~/two\nIdentityFile ~/one\n"
    assert labels(home, config, [loose])[0] == ["~/two", "~/one", "agent key loose"]
    assert labels(home, config + "IdentitiesOnly yes\n", [loose])[0] == ["~/two", "~/one"]
    assert labels(home, config, [loose], key_file=str(home / "one"))[0] == ["~/one", "agent key loose"]


def test_a_configured_key_that_the_agent_holds_needs_no_file_and_is_offered_once(home: Path) -> None:
    held = in_agent(keygen(home / "held"))
    (home / "held").unlink()
    assert labels(home, "IdentityFile ~/held\n", [held]) == (["agent key ~/held"], [])


def test_a_missing_identity_file_is_remembered_and_the_next_is_offered(home: Path) -> None:
    keygen(home / "one")
    found, problems = labels(home, "IdentityFile ~/none\nIdentityFile ~/one\n", [])
    assert found == ["~/one"]
    assert problems == [f"key file {home}/none does not exist"]


def test_the_inventorys_own_key_must_be_usable(home: Path) -> None:
    target, settings = target_of(home, "", key_file=str(home / "none"))
    with pytest.raises(AuthenticationError, match=r"w: key file .*/none does not exist"):
        list(offers(target, settings, [], []))
