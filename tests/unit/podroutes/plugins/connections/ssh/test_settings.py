from typing import Any

import pytest

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import parse_settings


def test_the_defaults_are_safe() -> None:
    settings = parse_settings({})
    assert (settings.ssh_strict, settings.system_host_keys, settings.use_keys, settings.allow_agent) == (True,) * 4
    assert (settings.banner_timeout, settings.auth_timeout, settings.connect_attempts) == (15.0, 15.0, 2)
    assert settings.sudo


def test_whole_numbers_are_seconds_too() -> None:
    assert parse_settings({"conn_timeout": 3}).conn_timeout == 3.0


@pytest.mark.parametrize(
    ("extras", "said"),
    [
        ({"conn_timout": 5}, "conn_timout: unknown key; did you mean conn_timeout?"),
        ({"session_log": "x", "fast_cli": True}, "fast_cli: unknown key; known keys: allow_agent, "),
        ({"conn_timeout": 0}, "conn_timeout: must be more than 0"),
        ({"conn_timeout": -1.0}, "conn_timeout: "),
        ({"banner_timeout": float("nan")}, "banner_timeout: "),
        ({"auth_timeout": float("inf")}, "auth_timeout: "),
        ({"auth_timeout": "15"}, "auth_timeout: must be a number, without quotes"),
        ({"connect_attempts": 0}, "connect_attempts: "),
        ({"connect_attempts": 2.5}, "connect_attempts: "),
        ({"ssh_strict": "no"}, "ssh_strict: must be true or false, without quotes"),
        ({"sudo": 1}, "sudo: must be true or false, without quotes"),
        ({"key_file": ""}, "key_file: "),
        ({"key_file": "/nonexistent/key"}, "key_file: there is no file /nonexistent/key"),
        ({"alt_key_file": "/nonexistent/hosts"}, "alt_key_file: there is no file /nonexistent/hosts"),
        ({"sudo_password_file": "/nonexistent/p"}, "sudo_password_file: there is no file /nonexistent/p"),
        ({"sudo_password_command": "x", "ask_sudo_password": True}, "ask_sudo_password: write one of them"),
        ({"disabled_algorithms": {}}, "disabled_algorithms: unknown key; known keys: "),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(extras: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(extras)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_passphrase_is_in_no_message_and_no_representation() -> None:
    settings = parse_settings({"passphrase": "hunter2"})
    assert "hunter2" not in repr(settings) + str(settings)
    with pytest.raises(UsageError) as caught:
        parse_settings({"passphrase": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
