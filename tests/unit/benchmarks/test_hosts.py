import json

import pytest

from benchmarks.hosts import desired_routes, pristine_problems, provisioned_problems
from lab.layout import Layout

WANTED = {"10.200.1.0/24": "10.240.0.21"}
OWN = {"dst": "10.200.0.0/24", "dev": "cnio0", "protocol": "kernel"}
OTHER = {"dst": "10.200.1.0/24", "gateway": "10.240.0.21", "dev": "eth0"}
SYSCTL = "net.ipv4.ip_forward = 1\n"


def answer(
    *routes: dict[str, str], forwarding: str = "1", enabled: str = "enabled", active: str = "active", sysctl: str = ""
) -> str:
    """What a host prints; `ip -j` prints nothing at all where there is no route."""
    listed = json.dumps(list(routes)) + "\n" if routes else ""
    return f"{listed}\n{forwarding}\n{enabled}\n{active}\n{sysctl}"


def test_every_worker_but_the_host_itself_is_wanted() -> None:
    hosts = Layout(1, 2).hosts
    assert [desired_routes(host, hosts) for host in hosts] == [
        {"10.200.0.0/24": "10.240.0.20", "10.200.1.0/24": "10.240.0.21"},
        {"10.200.1.0/24": "10.240.0.21"},
        {"10.200.0.0/24": "10.240.0.20"},
    ]


def test_a_host_as_wanted() -> None:
    assert provisioned_problems(answer(OWN, OTHER, sysctl=SYSCTL), WANTED, persistent=True) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (answer(OWN, sysctl=SYSCTL), "routes differ: 10.200.1.0/24 10.240.0.21 and 0 more"),
        (answer(sysctl=SYSCTL), "routes differ: 10.200.1.0/24 10.240.0.21 and 0 more"),
        (answer(OTHER | {"gateway": "10.240.0.210"}, sysctl=SYSCTL), "routes differ: "),
        (answer(OTHER, {"dst": "10.200.9.0/24", "dev": "eth0"}, sysctl=SYSCTL), "routes differ: 10.200.9.0/24 none"),
        (answer(OTHER, forwarding="0", sysctl=SYSCTL), "net.ipv4.ip_forward is 0"),
        (answer(OTHER, enabled="disabled", sysctl=SYSCTL), "routes.service is disabled, not enabled"),
        (answer(OTHER, active="failed", sysctl=SYSCTL), "routes.service is failed, not active"),
        (answer(OTHER, enabled="", active="inactive", sysctl=SYSCTL), "routes.service is , not enabled"),
        (answer(OTHER), "no file of sysctl.d turns forwarding on at boot"),
        (answer(OTHER, sysctl="net.ipv4.ip_forward = 0\n"), "no file of sysctl.d turns forwarding on at boot"),
    ],
)
def test_what_is_not_as_wanted_is_said(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in provisioned_problems(text, WANTED, persistent=True))


def test_the_guide_keeps_no_forwarding() -> None:
    assert provisioned_problems(answer(OTHER), WANTED, persistent=False) == []


@pytest.mark.parametrize("routes", [(), (OWN,)])
def test_a_pristine_host(routes: tuple[dict[str, str], ...]) -> None:
    assert pristine_problems(answer(*routes, forwarding="0", enabled="", active="inactive")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (answer(OTHER, forwarding="0", enabled="", active="inactive"), "it has 1 routes to pods"),
        (answer(forwarding="1", enabled="", active="inactive"), "net.ipv4.ip_forward is 1"),
        (answer(forwarding="0", enabled="enabled", active="inactive"), "routes.service is enabled"),
        (answer(forwarding="0", enabled="", active="failed"), "routes.service is failed"),
        (
            answer(forwarding="0", enabled="", active="inactive", sysctl="net/ipv4/ip_forward=1\n"),
            "a file of sysctl.d turns forwarding on",
        ),
    ],
)
def test_what_is_left_is_said(text: str, problem: str) -> None:
    assert pristine_problems(text) == [problem]
