import pytest

from podroutes.inventory.connection_options import check_connections
from podroutes.inventory.model import Holder
from tests.unit.podroutes.builders import SomePlugins

HOLDER = Holder("hosts.yaml", "worker-0")


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        (None, []),
        ({}, []),
        ({"linux_exec": None}, []),
        ({"linux_exec": {}}, []),
        ({"linux_exec": {"hostname": "a", "port": 22, "extras": {"conn_timeout": 3, "ssh_config_file": "x"}}}, []),
        ({"netmiko": {"extras": {"anything": [1]}}}, []),
        ({"linux_exc": {}}, ["linux_exc: there is no such connection plugin; did you mean linux_exec?"]),
        ({"napalm": {"port": "any", "more": 1}, "scrapli": None}, []),
        ({"linux_exec": [3]}, ["linux_exec: must hold `key: value` lines below it"]),
        ({"linux_exec": {"extra": {}}}, ["linux_exec.extra: unknown key; did you mean extras?"]),
        ({"linux_exec": {"port": "22"}}, ["linux_exec.port: must be a whole number, without quotes"]),
        ({"linux_exec": {"extras": [1]}}, ["linux_exec.extras: must hold `key: value` lines below it"]),
        (
            {"linux_exec": {"extras": {"conn_timout": 3, "sudo": "no"}}, "netmiko": {"prt": 1}},
            [
                "linux_exec.extras.conn_timout: unknown key; did you mean conn_timeout?",
                "linux_exec.extras.sudo: must be true or false, without quotes",
                "netmiko.prt: unknown key; did you mean port?",
            ],
        ),
    ],
)
def test_what_stands_below_connection_options(options: object, problems: list[str]) -> None:
    found = check_connections({"connection_options": options}, HOLDER, SomePlugins())
    assert [str(problem) for problem in found] == [
        f"hosts.yaml: worker-0: connection_options.{line}" for line in problems
    ]


def test_no_password_is_shown() -> None:
    options = {"linux_exec": {"password": ["hunter2"], "extras": {"passphrase": ["hunter2"]}}}
    found = list(check_connections({"connection_options": options}, HOLDER, SomePlugins()))
    assert len(found) == 2
    assert "hunter2" not in str(found)
