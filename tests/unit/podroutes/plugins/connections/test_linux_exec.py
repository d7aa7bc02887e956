from pathlib import Path
from typing import Any

import pytest
from nornir.core.plugins.connections import ConnectionPluginRegister

from podroutes.errors import UsageError
from podroutes.plugins.connections.linux_exec import LinuxExec


def test_nornir_finds_it_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever this process has registered before, and for tests that come after.
    monkeypatch.setattr(ConnectionPluginRegister, "available", {})
    ConnectionPluginRegister.auto_register()
    assert ConnectionPluginRegister.get_plugin("linux_exec") is LinuxExec


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"hostname": None}, "a host has no hostname"),
        ({"hostname": ""}, "a host has no hostname"),
        ({"platform": "cisco_ios"}, "platform 'cisco_ios' cannot be reached by linux_exec"),
        ({"extras": {"conn_timout": 3}}, "conn_timout: unknown"),
        ({"extras": {"device_type": "linux"}}, "device_type: unknown"),
        ({"extras": {"host": "elsewhere"}}, "host: unknown"),
        ({"hostname": "a b"}, "'a b' cannot be used as a host name"),
        ({"username": "a b"}, "'a b' cannot be used as a user name"),
    ],
)
def test_wrong_values_are_named_before_anything_is_connected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    values: dict[str, Any] = {
        "hostname": "127.0.0.1",
        "username": None,
        "password": None,
        "port": 1,
        "platform": "linux",
    }
    with pytest.raises(UsageError) as caught:
        LinuxExec().open(**{**values, **arguments})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
