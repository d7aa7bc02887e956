"""The connection to a cloud: what clouds.yaml and the inventory say, and what is wrong with them; nothing is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from podroutes.errors import CloudError
from podroutes.plugins.connections.openstack import OpenStack

SECRET = "a-secret-word"
AUTH = {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "password": SECRET, "project_name": "p"}
WHERE = "connection_options.openstack.extras"

# What the SDK says of itself.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")


def connect(**extras: Any) -> OpenStack:  # noqa: ANN401  # as YAML has them
    plugin = OpenStack()
    plugin.open("", "", "", 0, "", extras)
    return plugin


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `clouds.yaml`, and no other."""
    path = tmp_path / "clouds.yaml"
    path.write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("openstack.config.loader.CONFIG_FILES", [])
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("in_file", "in_inventory", "seconds"),
    [({}, {}, 30.0), ({"api_timeout": 7}, {}, 7.0), ({"api_timeout": 7}, {"api_timeout": 2.5}, 2.5)],
)
def test_the_time_limit_is_the_inventorys_or_else_the_files_or_else_ours(
    clouds: Path, in_file: dict[str, Any], in_inventory: dict[str, Any], seconds: float
) -> None:
    clouds.write_text(json.dumps({"clouds": {"kubernetes": {"auth": AUTH} | in_file}}))
    plugin = connect(cloud="kubernetes", **in_inventory)
    assert plugin.connection.session.timeout == seconds
    plugin.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"clouds:\n  k:\n    auth: {{password: {SECRET}\n",
            "cloud k: {} can't be used: it is no YAML, or this user may ",
        ),
        (f"clouds: [{SECRET}]\n", "cloud k: {} can't be used: "),
        (f"clouds:\n  k:\n    auth: {SECRET}\n", "cloud k: {} can't be used: "),
        (
            f"clouds:\n  k:\n    auth_type: x\n    auth: {{password: {SECRET}}}\n",
            "cloud k: {} can't be used: The plugin x ",
        ),
        (f"clouds:\n  k:\n    auth: {{password: {SECRET}}}\n", "cloud k: {} can't be used: Auth plugin requires "),
        (
            f"clouds:\n  k:\n    api_timeout: {SECRET}\n    auth: {json.dumps(AUTH)}\n",
            "cloud k: {}: clouds.k.api_timeout: must be a number",
        ),
        ("", "there is no cloud k in {}; it has: none"),
        ("clouds: {}\n", "there is no cloud k in {}; it has: none"),
        ("clouds:\n  b: {}\n  a: {}\n", "there is no cloud k in {}; it has: a, b"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_line_without_its_secrets(
    clouds: Path, text: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    clouds.write_text(text)
    with pytest.raises(CloudError) as raised:
        connect(cloud="k")
    assert str(raised.value).startswith(message.format(clouds, clouds))
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value) + caplog.text


def test_no_file_at_all(clouds: Path) -> None:
    clouds.unlink()
    with pytest.raises(
        CloudError, match=r"^there is no clouds\.yaml with cloud k: it is looked for in the current folder"
    ):
        connect(cloud="k")


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        ({"api_timout": 3}, f"{WHERE}.api_timout: unknown key; did you mean api_timeout?"),
        ({"api_timeout": "soon"}, f"{WHERE}.api_timeout: must be a number, without quotes"),
        ({"api_timeout": 0}, f"{WHERE}.api_timeout: must be more than 0"),
        ({"api_timeout": True}, f"{WHERE}.api_timeout: must be a number, without quotes"),
    ],
)
def test_wrong_settings_of_the_connection_are_said(clouds: Path, extras: dict[str, Any], message: str) -> None:
    with pytest.raises(CloudError) as raised:
        connect(cloud="k", **extras)
    assert str(raised.value) == message
