"""What has drifted on a host: each kind by its code, once, and nothing beside it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.addresses import parse_address
from podroutes.drift.classes import DRIFT_CLASSES
from podroutes.drift.detection import find_drift, finding_of_error
from podroutes.drift.findings import Finding
from podroutes.errors import (
    AuthenticationError,
    FactsError,
    HostKeyError,
    PrivilegeError,
    RemoteTimeoutError,
    UnreachableError,
)
from podroutes.host.managed_files import (
    BEFORE_PATH,
    DATA_PATH,
    SCRIPT_PATH,
    SYSCTL_PATH,
    UNIT_NAME,
    UNIT_PATH,
    temporary_path,
)
from podroutes.host.network_managers import ManagedLink, Manager
from podroutes.host.routes import RA
from podroutes.host.state import FileState, HostState, SysctlSetting, UnitState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.host import Composition
from tests.unit.podroutes.builders import (
    IPV4,
    controller,
    dual_stack_cluster,
    ipv4_cluster,
    ipv6_cluster,
    lookup,
    plan_of,
    route,
    worker,
)
from tests.unit.podroutes.healthy import (
    healthy,
    minus_routes,
    plus_routes,
    with_routes,
    with_sysctls,
    with_unit,
    work_of,
)

CLUSTER = ipv4_cluster()
W0 = "worker-0"
HEALTHY = healthy(CLUSTER, W0)


def found_on(found: HostState, plan: NetworkPlan = CLUSTER, name: str = W0) -> tuple[Finding, ...]:
    return find_drift(work_of(plan), plan.nodes[name], found)


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject) for finding in findings]


@pytest.mark.parametrize("plan", [CLUSTER, dual_stack_cluster(), ipv6_cluster()], ids=["IPv4", "dual", "IPv6"])
def test_healthy_hosts_have_none(plan: NetworkPlan) -> None:
    for name in plan.nodes:
        assert found_on(healthy(plan, name), plan, name) == ()


def instead(text: str, *more: str) -> HostState:
    """The host with a route in place of ours to the same destination."""
    destination = str(route(text).destination)
    return plus_routes(minus_routes(HEALTHY, destination), text, *more)


def file(path: str, **changed: object) -> HostState:
    new = replace(HEALTHY.files[path], **changed)  # the fields' own types
    return replace(HEALTHY, files=dict(HEALTHY.files) | {path: new})


def without_file(path: str) -> HostState:
    return replace(HEALTHY, files={name: kept for name, kept in HEALTHY.files.items() if name != path})


def looking_up(text: str) -> HostState:
    return replace(HEALTHY, lookups=dict(HEALTHY.lookups) | dict([lookup(text)]))


def managed_by(manager: Manager, device: str = "eth0") -> HostState:
    return replace(HEALTHY, managers={device: ManagedLink(manager)})


DROP_IN = "/etc/systemd/network/eth0.network.d/90-kubernetes-pod-routes.conf"
UNIT_WITHOUT = ("unit-without-routes", UNIT_NAME)
OURS = "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201"
LINKDOWN = replace(route(OURS), linkdown=True)
OTHER_COMMAND = {"ExecStartPre": ("{ path=/bin/x ; argv[]=/bin/x ; ignore_errors=no ; pid=0 }",)}
LOADED_OTHERWISE = with_unit(HEALTHY, properties=OTHER_COMMAND)
OVERRULING = SysctlSetting("/etc/sysctl.d/99-hard.conf", "net.ipv4.ip_forward", "0", "net.ipv4.conf.all.forwarding=0")


def with_ours(**changed: object) -> HostState:
    """The host with its route to worker-1 changed."""
    return plus_routes(minus_routes(HEALTHY, "10.200.1.0/24"), replace(route(OURS), **changed))


ELSEWHERE = [f"10.200.{number}.0/24 via 10.240.0.1 dev eth0 proto 4" for number in range(100, 110)]
CASES: dict[str, tuple[HostState, list[tuple[str, str]]]] = {
    "missing": (minus_routes(HEALTHY, "10.200.1.0/24"), [("route-missing", "10.200.1.0/24"), UNIT_WITHOUT]),
    "wrong next hop": (
        instead("10.200.1.0/24 via 10.240.0.22 dev eth0 proto 201"),
        [("route-wrong-next-hop", "10.200.1.0/24"), UNIT_WITHOUT],
    ),
    "wrong device": (
        instead("10.200.1.0/24 via 10.240.0.21 dev eth1 proto 201"),
        [("route-wrong-device", "10.200.1.0/24"), UNIT_WITHOUT],
    ),
    "missing while the unit has failed": (
        minus_routes(with_unit(HEALTHY, active="failed"), "10.200.1.0/24"),
        [("route-missing", "10.200.1.0/24"), ("unit-failed", UNIT_NAME)],
    ),
    "not ours": (instead("10.200.1.0/24 via 10.240.0.21 dev eth0"), [("route-not-ours", "10.200.1.0/24")]),
    "duplicate": (
        plus_routes(HEALTHY, "10.200.1.0/24 via 10.240.0.22 dev eth0 metric 50"),
        [("route-duplicate", "10.200.1.0/24")],
    ),
    "stale": (
        plus_routes(HEALTHY, "10.200.240.0/24 via 10.240.0.254 dev eth0 proto 201"),
        [("route-stale", "10.200.240.0/24")],
    ),
    "own pod CIDR": (
        with_routes(HEALTHY, "10.200.0.0/24 via 10.240.0.20 dev eth0", *HEALTHY.routes[4]),
        [("own-cidr-hijack", "10.200.0.0/24")],
    ),
    "shadowed by a rule": (
        looking_up("10.200.1.1 via 10.240.0.1 dev eth0"),
        [("route-shadowed", "10.200.1.0/24")],
    ),
    "shadowed by a more specific route": (
        replace(
            plus_routes(HEALTHY, "10.200.1.0/25 via 10.240.0.1 dev eth0 proto 4"),
            lookups=looking_up("10.200.1.1 via 10.240.0.1 dev eth0").lookups,
        ),
        [("route-shadowed", "10.200.1.0/24")],
    ),
    "partly shadowed, where no lookup is made": (
        plus_routes(HEALTHY, "10.200.1.128/25 via 10.240.0.1 dev eth0 proto 4"),
        [("route-shadowed", "10.200.1.0/24")],
    ),
    "partly shadowed by a blackhole": (
        plus_routes(HEALTHY, "blackhole 10.200.1.128/25"),
        [("route-shadowed", "10.200.1.0/24")],
    ),
    "part of the worker's own pods sent away": (
        plus_routes(HEALTHY, "10.200.0.128/25 via 10.240.0.1 dev eth0 proto 4"),
        [("route-shadowed", "10.200.0.0/24")],
    ),
    "a more specific route the same way": (
        plus_routes(HEALTHY, "10.200.1.128/25 via 10.240.0.21 dev eth0 proto 4"),
        [("foreign-route", "10.200.1.128/25 via 10.240.0.21 dev eth0 proto static")],
    ),
    "pods with a device each": (
        plus_routes(HEALTHY, "10.200.0.5/32 dev veth5 proto 3", "blackhole 10.200.0.64/26"),
        [],
    ),
    "missing is not reported as shadowed, too": (
        minus_routes(
            replace(HEALTHY, lookups={ip: way for ip, way in HEALTHY.lookups.items() if str(ip) != "10.200.1.1"}),
            "10.200.1.0/24",
        ),
        [("route-missing", "10.200.1.0/24"), UNIT_WITHOUT],
    ),
    "linkdown": (plus_routes(minus_routes(HEALTHY, "10.200.1.0/24"), LINKDOWN), [("route-linkdown", "10.200.1.0/24")]),
    "foreign": (
        plus_routes(HEALTHY, "10.200.250.0/24 via 10.240.0.1 dev eth0 proto 4"),
        [("foreign-route", "10.200.250.0/24 via 10.240.0.1 dev eth0 proto static")],
    ),
    "too many foreign ones to read": (plus_routes(HEALTHY, *ELSEWHERE), [("foreign-route", "10.200.0.0/16")]),
    "attributes": (with_ours(options=("mtu lock 600",)), [("route-attributes", "10.200.1.0/24")]),
    "a next hop object": (
        with_ours(nhid=12, protocol=11),
        [("route-not-ours", "10.200.1.0/24")],
    ),
    "for one type of service, another way": (
        plus_routes(HEALTHY, "10.200.1.0/24 tos 0x10 via 10.240.0.22 dev eth0 proto 4"),
        [("route-shadowed", "10.200.1.0/24")],
    ),
    "for one type of service, the same way": (
        plus_routes(HEALTHY, "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto 4"),
        [("foreign-route", "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto static")],
    ),
    "for one type of service, of ours": (
        plus_routes(HEALTHY, "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto 201"),
        [("route-duplicate", "10.200.1.0/24")],
    ),
    "not understood": (
        plus_routes(HEALTHY, replace(route("10.200.1.0/24 via 10.240.0.99 dev eth0"), unknown=("encap seg6",))),
        [
            (
                "plan-conflict",
                (
                    "10.200.1.0/24 via 10.240.0.99 dev eth0 proto boot encap seg6: `encap seg6` is not understood, "
                    "so it could not be restored: remove it by hand"
                ),
            )
        ],
    ),
    "foreign outside of the cluster's range": (
        plus_routes(HEALTHY, "10.77.0.0/16 via 10.240.0.1 dev eth0 proto 4"),
        [],
    ),
    "forwarding off": (
        with_sysctls(HEALTHY, {"net.ipv4.ip_forward": "0"}),
        [("forwarding-off", "net.ipv4.ip_forward")],
    ),
    "sysctl file missing": (without_file(SYSCTL_PATH), [("forwarding-not-kept", SYSCTL_PATH)]),
    "sysctl file edited": (
        file(SYSCTL_PATH, content="# Managed by pod-routes\n"),
        [("forwarding-not-kept", SYSCTL_PATH)],
    ),
    "overruled by a later file": (
        replace(HEALTHY, boot_sysctls=(OVERRULING,)),
        [("forwarding-overruled", "/etc/sysctl.d/99-hard.conf")],
    ),
    "unit's file missing": (without_file(UNIT_PATH), [("unit-missing", UNIT_PATH)]),
    "list missing": (without_file(DATA_PATH), [("unit-missing", DATA_PATH)]),
    "script missing": (without_file(SCRIPT_PATH), [("unit-missing", SCRIPT_PATH)]),
    "unit edited": (file(UNIT_PATH, content="# Managed by pod-routes\n[Unit]\n#\n"), [("unit-edited", UNIT_PATH)]),
    "unit's mode": (file(UNIT_PATH, mode=0o600), [("unit-edited", UNIT_PATH)]),
    "list edited": (file(DATA_PATH, content="# Managed by pod-routes\n"), [("unit-edited", DATA_PATH)]),
    "loaded is not what is there": (LOADED_OTHERWISE, [("unit-edited", UNIT_NAME)]),
    "left by a write": (
        replace(HEALTHY, leftovers=(temporary_path(BEFORE_PATH),)),
        [("leftover-file", temporary_path(BEFORE_PATH))],
    ),
    "waits for its next attempt": (with_unit(HEALTHY, active="activating"), [("unit-failed", UNIT_NAME)]),
    "script edited": (file(SCRIPT_PATH, content="# Managed by pod-routes\nexit 1\n"), [("script-edited", SCRIPT_PATH)]),
    "script is a link": (file(SCRIPT_PATH, regular=False), [("script-edited", SCRIPT_PATH)]),
    "script of others": (file(SCRIPT_PATH, content="exit 1\n"), [("script-edited", SCRIPT_PATH)]),
    "disabled": (with_unit(HEALTHY, enabled="disabled"), [("unit-disabled", UNIT_NAME)]),
    "masked": (with_unit(HEALTHY, enabled="masked"), [("unit-disabled", UNIT_NAME)]),
    "failed": (with_unit(HEALTHY, active="failed"), [("unit-failed", UNIT_NAME)]),
    "drop-in": (
        with_unit(HEALTHY, drop_ins="/etc/systemd/system/routes.service.d/x.conf"),
        [("unit-drop-in", UNIT_NAME)],
    ),
    "networkd": (managed_by("systemd-networkd"), [("manager-removes-routes", "systemd-networkd.service")]),
    "NetworkManager": (managed_by("NetworkManager"), [("manager-removes-routes", "NetworkManager.service")]),
    "ifupdown": (managed_by("ifupdown"), [("manager-removes-routes", "networking.service")]),
    "networkd of another device": (managed_by("systemd-networkd", "cnio0"), []),
    "networkd that keeps routes which nobody wants it to": (
        replace(HEALTHY, files={**HEALTHY.files, DROP_IN: FileState("# Managed by pod-routes\n", 0o644, 0, 0)}),
        [("manager-lacks-routes", DROP_IN)],
    ),
    "conflict": (
        replace(HEALTHY, links={name: one for name, one in HEALTHY.links.items() if name != "eth0"}),
        [("plan-conflict", "no interface has the internal IP 10.240.0.20; it has 10.200.0.1 on cnio0")],
    ),
    "masked until the next boot": (
        with_unit(HEALTHY, enabled="masked-runtime"),
        [("plan-conflict", "routes.service is masked in /run: systemctl unmask --runtime routes.service")],
    ),
}


@pytest.mark.parametrize(("found", "expected"), CASES.values(), ids=CASES)
def test_findings(found: HostState, expected: list[tuple[str, str]]) -> None:
    assert codes(found_on(found)) == expected


def test_every_class_that_a_machine_can_have_is_among_the_cases() -> None:
    elsewhere = {  # found by a ping, of a cloud, of a host that could not be read, below
        "packets-dropped",
        "packets-too-large",
        "host-unreachable",
        "result-unknown",
        "advertisements-ignored",
        "unit-unwanted",
        *(code for code, one in DRIFT_CLASSES.items() if one.layer == "cloud"),
    }
    assert {code for _, expected in CASES.values() for code, _ in expected} | elsewhere == set(DRIFT_CLASSES)


@pytest.mark.parametrize(
    ("found", "message", "expected", "is_there"),
    [
        (
            minus_routes(HEALTHY, "10.200.1.0/24"),
            f"no route to 10.200.1.0/24; expected: {OURS}",
            OURS,
            "",
        ),
        (
            instead("10.200.1.0/24 via 10.240.0.22 dev eth0 proto 201"),
            f"10.200.1.0/24: 10.200.1.0/24 via 10.240.0.22 dev eth0 proto 201; expected: {OURS}",
            OURS,
            "10.200.1.0/24 via 10.240.0.22 dev eth0 proto 201",
        ),
        (
            plus_routes(HEALTHY, "10.200.240.0/24 via 10.240.0.254 dev eth0 proto 201"),
            "10.200.240.0/24: 10.200.240.0/24 via 10.240.0.254 dev eth0 proto 201; no worker has this pod CIDR",
            "",
            "10.200.240.0/24 via 10.240.0.254 dev eth0 proto 201",
        ),
        (
            with_sysctls(HEALTHY, {"net.ipv4.ip_forward": "0"}),
            "IPv4 forwarding is off: net.ipv4.ip_forward is 0; expected: 1",
            "1",
            "0",
        ),
        (file(SCRIPT_PATH, content="exit 1\n"), f"{SCRIPT_PATH}: somebody else's file is there", "", ""),
        (without_file(SYSCTL_PATH), f"{SYSCTL_PATH}: missing", "", ""),
        (
            CASES["overruled by a later file"][0],
            (
                f"/etc/sysctl.d/99-hard.conf sets net.ipv4.ip_forward to 0 at boot, after {SYSCTL_PATH}, with its line "
                "`net.ipv4.conf.all.forwarding=0`: remove that line, or have it say 1"
            ),
            "",
            "",
        ),
        (file(UNIT_PATH, mode=0o600), f"{UNIT_PATH}: its mode or owner differs: 0600 0:0", "", ""),
        (with_unit(HEALTHY, enabled="disabled"), f"{UNIT_NAME}: disabled; expected: enabled", "enabled", "disabled"),
        (
            LOADED_OTHERWISE,
            f"{UNIT_NAME}: systemd has loaded something else than its file says: ExecStartPre",
            "",
            "",
        ),
        (
            CASES["shadowed by a more specific route"][0],
            (
                "part of 10.200.1.0/24 (worker-1's pods) goes another way: "
                "10.200.1.0/25 via 10.240.0.1 dev eth0 proto static"
            ),
            "",
            "10.200.1.0/25 via 10.240.0.1 dev eth0 proto static",
        ),
        (
            looking_up("10.200.1.1 via 10.240.0.1 dev eth0"),
            (
                "the kernel sends packets for 10.200.1.1 (worker-1's pods) via 10.240.0.1 dev eth0: "
                f"a policy rule or another table is in front of {OURS}"
            ),
            "",
            "",
        ),
        (
            plus_routes(
                HEALTHY, "10.200.1.77/32 via 10.240.0.22 dev eth0 proto 12", "blackhole 10.200.1.128/25 proto 12"
            ),
            (
                "part of 10.200.1.0/24 (worker-1's pods) goes another way: "
                "10.200.1.77/32 via 10.240.0.22 dev eth0 proto 12; blackhole 10.200.1.128/25 proto 12"
            ),
            "",
            "10.200.1.77/32 via 10.240.0.22 dev eth0 proto 12; blackhole 10.200.1.128/25 proto 12",
        ),
        (
            with_ours(options=("mtu lock 600",), source=parse_address("10.240.0.20")),
            f"10.200.1.0/24: {OURS} src 10.240.0.20 mtu lock 600; expected: {OURS}",
            OURS,
            f"{OURS} src 10.240.0.20 mtu lock 600",
        ),
        (
            plus_routes(HEALTHY, "10.200.1.128/25 via 10.240.0.1 dev eth0 proto 4"),
            (
                "part of 10.200.1.0/24 (worker-1's pods) goes another way: "
                "10.200.1.128/25 via 10.240.0.1 dev eth0 proto static"
            ),
            "",
            "10.200.1.128/25 via 10.240.0.1 dev eth0 proto static",
        ),
    ],
)
def test_a_finding_says_what_is_expected_and_what_is_there(
    found: HostState, message: str, expected: str, is_there: str
) -> None:
    first = found_on(found)[0]
    assert (first.message, first.expected, first.found) == (message, expected, is_there)
    assert first.layer == DRIFT_CLASSES[first.code].layer


def test_interfaces_that_ignore_router_advertisements() -> None:
    plan = dual_stack_cluster()
    advertised = replace(route("fd00:77::/64 via fe80::1 dev eth0"), protocol=RA)
    found = plus_routes(healthy(plan, W0), advertised)
    found = with_sysctls(found, {"net.ipv6.conf.eth0.accept_ra": "1"})
    assert codes(found_on(found, plan)) == [
        ("advertisements-ignored", "net.ipv6.conf.eth0.accept_ra"),
        ("forwarding-not-kept", SYSCTL_PATH),
    ]


def test_a_unit_that_the_inventory_disables() -> None:
    plan = plan_of(IPV4, controller(0), worker(0, routes_service=False), worker(1), worker(2))
    assert codes(found_on(HEALTHY, plan)) == [("unit-unwanted", UNIT_NAME)]
    gone = replace(
        HEALTHY,
        files={SYSCTL_PATH: HEALTHY.files[SYSCTL_PATH]},
        unit=UnitState("not-found", "inactive", ""),
    )
    assert codes(found_on(gone, plan)) == []
    assert codes(found_on(minus_routes(gone, "10.200.1.0/24"), plan)) == [("route-missing", "10.200.1.0/24")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreachableError("no answer"), "host-unreachable"),
        (HostKeyError("another key"), "host-unreachable"),
        (AuthenticationError("refused"), "host-unreachable"),
        (PrivilegeError("no sudo"), "result-unknown"),
        (RemoteTimeoutError("too slow"), "result-unknown"),
        (FactsError("not whole"), "result-unknown"),
        (ValueError("nobody foresaw this"), "result-unknown"),
    ],
)
def test_a_host_that_could_not_be_checked(error: Exception, code: str) -> None:
    finding = finding_of_error(error, "why")
    assert (finding.code, finding.layer, finding.subject, finding.message) == (code, "host", "host", "why")
    assert finding.is_drift


# Any of these may come together.
MUTATIONS: list[Callable[[HostState], HostState]] = [
    lambda found: minus_routes(found, "10.200.1.0/24"),
    lambda found: plus_routes(found, "10.200.2.0/24 via 10.240.0.21 dev eth0 metric 20"),
    lambda found: plus_routes(found, "10.200.77.0/24 via 10.240.0.21 dev eth0 proto 201"),
    lambda found: plus_routes(found, "10.200.1.128/25 via 10.240.0.1 dev eth0 proto 4"),
    lambda found: with_routes(found, "10.200.0.0/24 via 10.240.0.20 dev eth0", *found.routes[4]),
    lambda found: with_routes(found, *[one for one in found.routes[4] if one.protocol != 201]),
    lambda found: plus_routes(found, "10.200.78.0/24 via 10.240.0.21 dev eth0 proto 4"),
    lambda found: with_sysctls(found, {"net.ipv4.ip_forward": "0"}),
    lambda found: with_unit(found, enabled="disabled"),
    lambda found: with_unit(found, active="failed"),
    lambda found: with_unit(found, properties=OTHER_COMMAND),
    lambda found: replace(found, leftovers=(temporary_path(SCRIPT_PATH),)),
    lambda found: with_unit(found, drop_ins="/etc/systemd/system/routes.service.d/x.conf"),
    lambda found: replace(found, lookups={}),
    lambda found: replace(found, managers={"eth0": ManagedLink("systemd-networkd")}),
    lambda found: replace(found, links={**found.links, "eth0": replace(found.links["eth0"], up=False)}),
    *(
        lambda found, path=path: replace(found, files={k: v for k, v in found.files.items() if k != path})
        for path in (SCRIPT_PATH, UNIT_PATH, DATA_PATH, SYSCTL_PATH)
    ),
    *(
        lambda found, path=path: replace(found, files={**found.files, path: FileState("edited\n", 0o644, 0, 0)})
        for path in (SCRIPT_PATH, UNIT_PATH, DATA_PATH, SYSCTL_PATH, BEFORE_PATH)
    ),
]


@given(
    st.lists(st.sampled_from(MUTATIONS), max_size=5),
    st.sampled_from([CLUSTER, plan_of(IPV4, controller(0), worker(0, routes_service=False), worker(1), worker(2))]),
)
def test_a_check_finds_drift_wherever_provisioning_would_act_or_refuse(
    mutations: list[Callable[[HostState], HostState]], plan: NetworkPlan
) -> None:
    found = HEALTHY
    for mutate in mutations:
        found = mutate(found)
    node = plan.nodes[W0]
    work: Composition = work_of(plan)
    findings = find_drift(work, node, found)
    assert len({finding.key for finding in findings}) == len(findings)
    assert all("\n" not in finding.message and finding.message for finding in findings)
    planned = work.plan_host(node, found)
    would = bool(planned.changes or planned.conflicts or planned.unresolved or work.unresolved(node, found))
    drifted = any(finding.is_drift for finding in findings)
    # Before its changes are made, provisioning does not ask where packets go.
    assert drifted == would


def verdicts(found: HostState, plan: NetworkPlan, name: str) -> tuple[str, str, str]:
    """What provisioning, the drift check and its --fix make of a host: `ok`, `fixed`, or why it stays wrong.

    The changes are not made here: of a host that has some, what counts is what is left beside them.
    """
    node, work = plan.nodes[name], work_of(plan)
    planned = work.plan_host(node, found)
    reasons = {*planned.conflicts, *planned.unresolved, *(() if planned.changes else work.unresolved(node, found))}
    provisioning = "; ".join(sorted(reasons)) or ("fixed" if planned.changes else "ok")
    drift = [finding for finding in find_drift(work, node, found) if finding.is_drift]
    stays = {text for text in reasons if any(text in finding.message for finding in drift)}
    check = "; ".join(sorted(stays)) or ("fixed" if drift else "ok")
    # --fix makes the planned changes, and says of a host without any what the check had found.
    words = {finding.message for finding in drift} if not planned.changes and drift else reasons
    fix = "; ".join(sorted(words)) or ("fixed" if planned.changes and drift else "ok")
    return provisioning, check, fix


@pytest.mark.parametrize(("found", "expected"), CASES.values(), ids=CASES)
def test_provisioning_the_check_and_fix_agree_on_every_class(found: HostState, expected: list[tuple[str, str]]) -> None:
    provisioning, check, fix = verdicts(found, CLUSTER, W0)
    assert provisioning == check == fix
    is_drift = any(DRIFT_CLASSES[code].severity == "drift" for code, _ in expected)
    assert (provisioning != "ok") == is_drift
