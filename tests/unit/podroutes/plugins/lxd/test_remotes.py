"""Where a daemon is, from a client's own configuration."""

from pathlib import Path
from typing import Any

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.lxd.remotes import Remote, find_remote
from podroutes.plugins.lxd.settings import LxdSettings, parse_options
from podroutes.plugins.lxd.tls import Certificates

CONFIG = """
default-remote: lab
remotes:
  lab: {addr: "unix:///srv/lxd/unix.socket", project: k8s}
  far: {addr: "https://lxd.example:9443", auth_type: tls, protocol: lxd, project: default}
  six: {addr: "https://[2001:db8::1]", auth_type: tls}
  candid: {addr: "https://lxd.example", auth_type: candid, protocol: lxd}
  images: {addr: "https://images.example", protocol: simplestreams, public: true}
  odd: {addr: "https://lxd.example:port", protocol: lxd}
  plain: {addr: "http://lxd.example", protocol: lxd}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / ".config" / "lxc"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(CONFIG, encoding="utf-8")
    for file in ("client.crt", "client.key"):
        (folder / file).touch()
    (folder / "servercerts").mkdir()
    (folder / "servercerts" / "far.crt").touch()
    return tmp_path


def local(socket: str, project: str = "default", program: str = "lxc", name: str = "local") -> Remote:
    return Remote(name, program, project, socket, f"http://{'lxd' if program == 'lxc' else 'incus'}")


@pytest.mark.parametrize(
    ("settings", "environment", "remote"),
    [
        ({}, {}, local("/srv/lxd/unix.socket", "k8s", name="lab")),
        ({"project": "own"}, {}, local("/srv/lxd/unix.socket", "own", name="lab")),
        ({}, {"LXD_PROJECT": "other"}, local("/srv/lxd/unix.socket", "other", name="lab")),
        ({"remote": "local"}, {"LXD_DIR": "/d"}, local("/d/unix.socket")),
        ({"remote": "local"}, {"LXD_DIR": "/d", "LXD_SOCKET": "/s"}, local("/s")),
        ({"server": "incus"}, {"INCUS_DIR": "/d", "LXD_DIR": "/e"}, local("/d/unix.socket", program="incus")),
        ({"server": "incus"}, {"INCUS_SOCKET": "/s"}, local("/s", program="incus")),
        ({"server": "incus"}, {}, local("/var/lib/incus/unix.socket", program="incus")),
    ],
)
def test_a_socket(home: Path, settings: dict[str, Any], environment: dict[str, str], remote: Remote) -> None:
    assert find_remote(LxdSettings(**settings), environment, home) == remote


def test_over_the_network(home: Path) -> None:
    folder = home / ".config" / "lxc"
    files = Certificates(folder / "client.crt", folder / "client.key", folder / "servercerts" / "far.crt")
    found = find_remote(LxdSettings(remote="far"), {}, home)
    assert found == Remote("far", "lxc", "default", None, "https://lxd.example:9443", files)
    assert found.label == "lxc remote far"
    # Public authorities vouch for one without a certificate of its own.
    six = find_remote(LxdSettings(remote="six", project="k8s"), {}, home)
    assert (six.url, six.certificates) == (
        "https://[2001:db8::1]:8443",
        Certificates(folder / "client.crt", folder / "client.key"),
    )
    assert six.label == "lxc remote six, project k8s"


def test_a_remotes_own_certificate_comes_first_and_an_authority_counts(home: Path) -> None:
    folder = home / ".config" / "lxc"
    (folder / "clientcerts").mkdir()
    (folder / "client.ca").touch()
    certificate, key = (folder / "clientcerts" / f"far.{kind}" for kind in ("crt", "key"))
    certificate.touch()
    key.touch()
    certificates = find_remote(LxdSettings(remote="far"), {}, home).certificates
    assert certificates == Certificates(certificate, key, folder / "servercerts" / "far.crt", folder / "client.ca")


def test_the_snaps_folder_and_a_named_one_come_first(home: Path, tmp_path: Path) -> None:
    for place, name in ((home / "snap/lxd/common/config", "snap"), (tmp_path / "named", "named")):
        place.mkdir(parents=True)
        text = f"default-remote: {name}\nremotes: {{{name}: {{addr: 'unix:///{name}'}}}}\n"
        (place / "config.yml").write_text(text, encoding="utf-8")
    assert find_remote(LxdSettings(), {}, home).socket == "/snap"
    assert find_remote(LxdSettings(), {"LXD_CONF": str(tmp_path / "named")}, home).socket == "/named"
    own = LxdSettings(config_folder=home / ".config" / "lxc")
    assert find_remote(own, {"LXD_CONF": str(tmp_path / "named")}, home).name == "lab"


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        (
            "nowhere",
            "lxc has no remote nowhere in .*config.yml; it has: candid, far, images, lab, local, odd, plain, six",
        ),
        ("candid", "remote candid wants candid: only client certificates"),
        ("images", "remote images has images, not instances"),
        ("odd", "remote odd: 'https://lxd.example:port' is no https:// address"),
        ("plain", "remote plain: 'http://lxd.example' is no https:// address"),
    ],
)
def test_what_can_not_be_used_is_said(home: Path, remote: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_remote(LxdSettings(remote=remote), {}, home)


def test_a_client_without_a_certificate_is_told_how_to_get_one(home: Path) -> None:
    (home / ".config" / "lxc" / "client.key").unlink()
    with pytest.raises(UsageError, match=r"there is no .*client\.key; `lxc remote add` makes it"):
        find_remote(LxdSettings(remote="far"), {}, home)


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_a_file_that_is_no_yaml_is_named(home: Path, text: str) -> None:
    (home / ".config" / "lxc" / "config.yml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"config\.yml can't be read: it is no YAML"):
        find_remote(LxdSettings(), {}, home)


@pytest.mark.parametrize("text", ["", "remotes: []", "- 1"])
def test_one_that_says_nothing_leaves_the_local_one(home: Path, text: str) -> None:
    (home / ".config" / "lxc" / "config.yml").write_text(text, encoding="utf-8")
    assert find_remote(LxdSettings(), {"LXD_DIR": "/d"}, home) == local("/d/unix.socket")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sever": "lxd"}, "extras.sever: unknown key; did you mean server?"),
        ({"server": "docker"}, "extras.server: must be 'lxd' or 'incus'"),
        ({"remote": 7}, "extras.remote: "),
        ({"remote": ""}, "extras.remote: "),
        ({"conn_timeout": 0}, "extras.conn_timeout: "),
    ],
)
def test_a_wrong_setting_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_options(LxdSettings, options, "extras")
