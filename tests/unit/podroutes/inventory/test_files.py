import pytest

from podroutes.inventory.files import check_defaults, check_groups, check_hosts
from tests.unit.podroutes.builders import SomePlugins

PLUGINS = SomePlugins()
GROUPS: dict[str, dict[str, str]] = {"controllers": {}, "workers": {}}
KNOWN_KEYS = "connection_options, data, groups, hostname, password, platform, port, username"
OWN_KEYS = "(keys of your own belong below data)"


@pytest.mark.parametrize(
    ("hosts", "groups", "problems"),
    [
        (None, None, []),
        ({}, GROUPS, []),
        ({"worker-0": {}}, None, []),
        (
            {"worker-0": {"hostname": "10.240.0.20", "groups": ["workers"], "port": 22, "data": {"any": object()}}},
            GROUPS,
            [],
        ),
        (["worker-0"], GROUPS, ["hosts.yaml: must be a list of `NAME:` entries, one for each host"]),
        ("worker-0", GROUPS, ["hosts.yaml: must be a list of `NAME:` entries, one for each host"]),
        (
            {"worker-0": None},
            GROUPS,
            ["hosts.yaml: worker-0: has nothing below it; write `worker-0: with its hostname and groups below`"],
        ),
        (
            {"worker-0": ["hostname"], "worker-1": "10.240.0.21"},
            GROUPS,
            [
                "hosts.yaml: worker-0: must hold keys such as `hostname:` below it",
                "hosts.yaml: worker-1: must hold keys such as `hostname:` below it",
            ],
        ),
        ({0: {}, True: {}}, GROUPS, [
            "hosts.yaml: 0: 0 is no name; write it in quotes",
            "hosts.yaml: True: True is no name; write it in quotes",
        ]),
        (
            {"worker-0": {"hostnme": "10.240.0.20", "pod_index": 0, "cluster_cidr": "10.200.0.0/16", "rack": 7}},
            GROUPS,
            [
                f"hosts.yaml: worker-0: hostnme: unknown key; did you mean hostname? {OWN_KEYS}",
                "hosts.yaml: worker-0: pod_index: belongs below `data:`; indent it there",
                "hosts.yaml: worker-0: cluster_cidr: belongs below `data:`; indent it there",
                f"hosts.yaml: worker-0: rack: unknown key; known keys: {KNOWN_KEYS} {OWN_KEYS}",
            ],
        ),
        (
            {"cloud": {"groups": ["workers"], "cloud": "kubernetes"}},
            GROUPS,
            ["hosts.yaml: cloud: cloud: belongs below `data:`; indent it there"],
        ),
        (
            {"worker-0": {"x_rack": 7}},
            GROUPS,
            ["hosts.yaml: worker-0: x_rack: belongs below `data:`; indent it there"],
        ),
        (
            {"worker-0": {"hostname": 10, "port": "22", "groups": "workers", "data": []}},
            GROUPS,
            [
                "hosts.yaml: worker-0: hostname: must be text; put it in quotes",
                "hosts.yaml: worker-0: port: must be a whole number, without quotes",
                "hosts.yaml: worker-0: groups: must be a list",
                "hosts.yaml: worker-0: data: must hold `key: value` lines below it",
            ],
        ),
        (
            {"worker-0": {"port": 65536, "groups": [1, 2]}, "worker-1": {"port": 0}},
            GROUPS,
            [
                "hosts.yaml: worker-0: port: must be at most 65535",
                "hosts.yaml: worker-0: groups: must be text; put it in quotes",
                "hosts.yaml: worker-1: port: must be at least 1",
            ],
        ),
        (
            {"worker-0": {"port": 0, "connection_options": {"linux_exec": {"port": 0}, 1: {}}}},
            GROUPS,
            [
                "hosts.yaml: worker-0: port: must be at least 1",
                "hosts.yaml: worker-0: connection_options: must be text; put it in quotes",
                "hosts.yaml: worker-0: connection_options.linux_exec.port: must be at least 1",
            ],
        ),
        (
            {"worker-0": {"groups": ["worker", "workers", "racks"]}},
            GROUPS,
            [
                "hosts.yaml: worker-0: groups: there is no group worker; known groups: controllers, workers",
                "hosts.yaml: worker-0: groups: there is no group racks; known groups: controllers, workers",
            ],
        ),
        (
            {"worker-0": {"groups": ["workers"]}},
            None,
            ["hosts.yaml: worker-0: groups: there is no group workers; known groups: none"],
        ),
        (
            {"worker-0": {"groups": ["workers"]}},
            {1: {}, "controllers": {}},
            ["hosts.yaml: worker-0: groups: there is no group workers; known groups: controllers"],
        ),
    ],
)  # fmt: skip
def test_the_shape_of_hosts(hosts: object, groups: object, problems: list[str]) -> None:
    assert [str(problem) for problem in check_hosts(hosts, groups, "hosts.yaml", PLUGINS)] == problems


@pytest.mark.parametrize(
    ("groups", "problems"),
    [
        (None, []),
        ({"controllers": {}, "workers": {"groups": ["machines"]}, "machines": {"username": "ubuntu"}}, []),
        ({"workers": None}, ["groups.yaml: workers: has nothing below it; write `workers: {}`"]),
        (
            {"workers": {"groups": ["machine"]}, "machines": {}},
            ["groups.yaml: workers: groups: there is no group machine; known groups: machines, workers"],
        ),
        (
            {"workers": {"pod_index": 0}},
            ["groups.yaml: workers: pod_index: belongs below `data:`; indent it there"],
        ),
        (
            {"a": {"groups": ["b"]}, "b": {"groups": ["c"]}, "c": {"groups": ["b"]}, "d": {"groups": ["d"]}},
            [
                "groups.yaml: b: groups: is a member of itself: b, c, b",
                "groups.yaml: c: groups: is a member of itself: c, b, c",
                "groups.yaml: d: groups: is a member of itself: d, d",
            ],
        ),
    ],
)
def test_the_shape_of_groups(groups: object, problems: list[str]) -> None:
    assert [str(problem) for problem in check_groups(groups, "groups.yaml", PLUGINS)] == problems


@pytest.mark.parametrize(
    ("defaults", "problems"),
    [
        (None, []),
        ({"username": "ubuntu", "data": {"cluster_cidr": "anything"}}, []),
        ([], ["defaults.yaml: defaults: must hold keys such as `hostname:` below it"]),
        (
            {"cluster_cidr": "10.200.0.0/16", "groups": ["workers"], "usernme": "ubuntu"},
            [
                "defaults.yaml: defaults: cluster_cidr: belongs below `data:`; indent it there",
                (
                    "defaults.yaml: defaults: groups: unknown key; known keys: connection_options, data, hostname, "
                    f"password, platform, port, username {OWN_KEYS}"
                ),
                f"defaults.yaml: defaults: usernme: unknown key; did you mean username? {OWN_KEYS}",
            ],
        ),
    ],
)
def test_the_shape_of_defaults(defaults: object, problems: list[str]) -> None:
    assert [str(problem) for problem in check_defaults(defaults, "defaults.yaml", PLUGINS)] == problems
