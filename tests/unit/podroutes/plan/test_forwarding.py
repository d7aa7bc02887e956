"""Forwarding: what a host has in, the exact changes out."""

import pytest

from podroutes.host.changes import Change, RemoveFile, SetSysctl, WriteFile
from podroutes.host.managed_files import BEFORE_PATH, SYSCTL_PATH
from podroutes.host.state import FileState, HostState, SysctlSetting
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.forwarding import plan_forwarding, plan_forwarding_removal
from tests.unit.podroutes.builders import dual_stack_cluster, ipv4_cluster, ipv6_cluster, link, state

HEADER = "# Managed by pod-routes; changes to this file are overwritten.\n"
BEFORE_HEADER = "# Managed by pod-routes: what these kernel parameters were before, to put them back.\n"
V4 = "net.ipv4.ip_forward"
REDIRECTS = "net.ipv4.conf.all.accept_redirects"
V6 = "net.ipv6.conf.all.forwarding"
RA0 = "net.ipv6.conf.eth0.accept_ra"
RA7 = "net/ipv6/conf/eth0.7/accept_ra"


def ours(content: str) -> FileState:
    return FileState(HEADER + content, 0o644, 0, 0)


def before(content: str) -> FileState:
    return FileState(BEFORE_HEADER + content, 0o644, 0, 0)


def summary(changes: tuple[Change, ...]) -> list[str]:
    return [f"{change.action} {change.subject}: {change.before!r} -> {change.after!r}" for change in changes]


def with_ra(*devices: str, sysctls: dict[str, str], files: dict[str, FileState] | None = None) -> HostState:
    """A host with IPv6 on eth0 and eth0.7, and a default route from router advertisements on some."""
    return state(
        link("eth0", "fd00:240::20/64"),
        link("eth0.7", "fd00:77::20/64"),
        routes=[f"::/0 via fe80::1 dev {device} proto 9" for device in devices],
        sysctls={V4: "1", RA0: "1", RA7: "1"} | sysctls,
        files=files or {},
    )


@pytest.mark.parametrize(
    ("plan", "host_state", "expected"),
    [
        # off
        (
            ipv4_cluster(),
            state(sysctls={V4: "0", REDIRECTS: "1"}),
            [
                f"write {BEFORE_PATH}: '' -> {BEFORE_HEADER + f'{V4} = 0{chr(10)}{REDIRECTS} = 1{chr(10)}'!r}",
                f"set {V4}: '0' -> '1'",
                f"write {SYSCTL_PATH}: '' -> {HEADER + f'{V4} = 1{chr(10)}'!r}",
            ],
        ),
        # on, but not after a reboot
        (
            ipv4_cluster(),
            state(sysctls={V4: "1"}),
            [
                f"write {BEFORE_PATH}: '' -> {BEFORE_HEADER + f'{V4} = 1{chr(10)}'!r}",
                f"write {SYSCTL_PATH}: '' -> {HEADER + f'{V4} = 1{chr(10)}'!r}",
            ],
        ),
        # up to date
        (ipv4_cluster(), state(sysctls={V4: "1"}, files={SYSCTL_PATH: ours(f"{V4} = 1\n")}), []),
        # off again: what was there before was noted down the first time
        (
            ipv4_cluster(),
            state(sysctls={V4: "0"}, files={SYSCTL_PATH: ours(f"{V4} = 1\n"), BEFORE_PATH: before(f"{V4} = 1\n")}),
            [f"set {V4}: '0' -> '1'"],
        ),
        # the file was edited, or has another mode or owner
        (
            ipv4_cluster(),
            state(sysctls={V4: "1"}, files={SYSCTL_PATH: ours(f"{V4} = 0\n"), BEFORE_PATH: before("")}),
            [f"write {SYSCTL_PATH}: {HEADER + f'{V4} = 0{chr(10)}'!r} -> {HEADER + f'{V4} = 1{chr(10)}'!r}"],
        ),
        (
            ipv4_cluster(),
            state(
                sysctls={V4: "1"},
                files={SYSCTL_PATH: FileState(f"{HEADER}{V4} = 1\n", 0o600, 0, 0), BEFORE_PATH: before("")},
            ),
            [f"write {SYSCTL_PATH}: {HEADER + f'{V4} = 1{chr(10)}'!r} -> {HEADER + f'{V4} = 1{chr(10)}'!r}"],
        ),
        # a cluster of one family leaves the other alone
        (ipv4_cluster(), state(sysctls={V4: "1", V6: "0"}, files={SYSCTL_PATH: ours(f"{V4} = 1\n")}), []),
        (ipv6_cluster(), state(sysctls={V4: "0", V6: "1"}, files={SYSCTL_PATH: ours(f"{V6} = 1\n")}), []),
        # the second family came later: its value before is noted down as well
        (
            dual_stack_cluster(),
            state(
                sysctls={V4: "1", V6: "0"},
                files={SYSCTL_PATH: ours(f"{V4} = 1\n"), BEFORE_PATH: before(f"{V4} = 0\n")},
            ),
            [
                (
                    f"write {BEFORE_PATH}: {BEFORE_HEADER + f'{V4} = 0{chr(10)}'!r} -> "
                    f"{BEFORE_HEADER + f'{V4} = 0{chr(10)}{V6} = 0{chr(10)}'!r}"
                ),
                f"set {V6}: '0' -> '1'",
                (
                    f"write {SYSCTL_PATH}: {HEADER + f'{V4} = 1{chr(10)}'!r} -> "
                    f"{HEADER + f'{V6} = 1{chr(10)}{V4} = 1{chr(10)}'!r}"
                ),
            ],
        ),
        # 11: an interface that lives from router advertisements accepts them with 2 alone, and has to before forwarding
        (
            ipv6_cluster(),
            with_ra("eth0", sysctls={V6: "0"}),
            [
                f"write {BEFORE_PATH}: '' -> {BEFORE_HEADER + f'{RA0} = 1{chr(10)}{V6} = 0{chr(10)}'!r}",
                f"set {RA0}: '1' -> '2'",
                f"set {V6}: '0' -> '1'",
                f"write {SYSCTL_PATH}: '' -> {HEADER + f'{RA0} = 2{chr(10)}{V6} = 1{chr(10)}'!r}",
            ],
        ),
        (
            ipv6_cluster(),
            with_ra("eth0.7", sysctls={V6: "0"}, files={BEFORE_PATH: before(f"{RA7} = 1\n{V6} = 0\n")}),
            [
                f"set {RA7}: '1' -> '2'",
                f"set {V6}: '0' -> '1'",
                f"write {SYSCTL_PATH}: '' -> {HEADER + f'{RA7} = 2{chr(10)}{V6} = 1{chr(10)}'!r}",
            ],
        ),
        # 0 is somebody else's choice; 2 is right already
        (
            ipv6_cluster(),
            with_ra("eth0", sysctls={V6: "1", RA0: "0"}, files={SYSCTL_PATH: ours(f"{V6} = 1\n")}),
            [],
        ),
        (
            ipv6_cluster(),
            with_ra("eth0", sysctls={V6: "1", RA0: "2"}, files={SYSCTL_PATH: ours(f"{V6} = 1\n")}),
            [],
        ),
        # once given, it stays, also while no router speaks
        (
            ipv6_cluster(),
            with_ra(sysctls={V6: "1", RA0: "2"}, files={SYSCTL_PATH: ours(f"{RA0} = 2\n{V6} = 1\n")}),
            [],
        ),
        (
            ipv6_cluster(),
            with_ra(
                sysctls={V6: "1", RA0: "1"},
                files={SYSCTL_PATH: ours(f"{RA0} = 2\n{V6} = 1\n"), BEFORE_PATH: before(f"{RA0} = 1\n")},
            ),
            [f"set {RA0}: '1' -> '2'"],
        ),
        # a kernel without the parameter says so when it is set
        (
            ipv6_cluster(),
            state(sysctls={}, files={SYSCTL_PATH: ours(f"{V6} = 1\n"), BEFORE_PATH: before("")}),
            [f"set {V6}: '' -> '1'"],
        ),
    ],
)
def test_what_a_host_needs(plan: NetworkPlan, host_state: HostState, expected: list[str]) -> None:
    host_plan = plan_forwarding(plan, host_state)
    assert summary(host_plan.changes) == expected
    assert (host_plan.conflicts, host_plan.unresolved, host_plan.notes) == ((), (), ())
    for change in host_plan.changes:
        if change.action == "set":
            assert change.steps == (SetSysctl(change.subject, change.after),)
        else:
            assert change.steps == (WriteFile(change.subject, 0o644, change.after),)


def boot(path: str, key: str, value: str) -> SysctlSetting:
    return SysctlSetting(path, key, value, f"{key}={value}")


def overruled(path: str, key: str, line: str) -> str:
    return (
        f"{path} sets {key} to 0 at boot, after {SYSCTL_PATH}, with its line `{line}`: "
        f"remove that line, or have it say 1"
    )


OWN_SETTING = boot(SYSCTL_PATH, V4, "1")


@pytest.mark.parametrize(
    ("settings", "unresolved"),
    [
        ([], []),
        ([OWN_SETTING], []),
        # files that sort before ours lose
        ([boot("/etc/sysctl.d/10-site.conf", V4, "0"), OWN_SETTING], []),
        ([OWN_SETTING, boot("/etc/sysctl.d/99-sysctl.conf", V4, "1")], []),
        (
            [OWN_SETTING, boot("/etc/sysctl.d/99-sysctl.conf", V4, "0")],
            [overruled("/etc/sysctl.d/99-sysctl.conf", V4, f"{V4}=0")],
        ),
        (
            [OWN_SETTING, boot("/run/sysctl.d/99-z.conf", "net.ipv4.conf.all.forwarding", "0")],
            [overruled("/run/sysctl.d/99-z.conf", V4, "net.ipv4.conf.all.forwarding=0")],
        ),
        # systemd-sysctl expands patterns, and `all` is one of the interfaces
        (
            [OWN_SETTING, boot("/run/sysctl.d/99-z.conf", "net.ipv4.conf.*.forwarding", "0")],
            [overruled("/run/sysctl.d/99-z.conf", V4, "net.ipv4.conf.*.forwarding=0")],
        ),
        ([OWN_SETTING, boot("/run/sysctl.d/99-z.conf", "net.ipv4.conf.eth*.forwarding", "0")], []),
        # the last one counts, by the name it is found under or by its other one
        (
            [OWN_SETTING, boot("/etc/sysctl.d/91-a.conf", V4, "0"), boot("/etc/sysctl.d/99-z.conf", V4, "1")],
            [],
        ),
        (
            [
                OWN_SETTING,
                boot("/etc/sysctl.d/91-a.conf", "net.ipv4.conf.all.forwarding", "1"),
                boot("/etc/sysctl.d/91-a.conf", V4, "0"),
            ],
            [overruled("/etc/sysctl.d/91-a.conf", V4, f"{V4}=0")],
        ),
        ([OWN_SETTING, boot("/etc/sysctl.d/99-z.conf", V6, "0")], []),
    ],
)
def test_a_file_that_overrules_ours_at_boot(settings: list[SysctlSetting], unresolved: list[str]) -> None:
    host_state = state(sysctls={V4: "1"}, files={SYSCTL_PATH: ours(f"{V4} = 1\n")}, boot_sysctls=settings)
    host_plan = plan_forwarding(ipv4_cluster(), host_state)
    assert (host_plan.changes, list(host_plan.unresolved)) == ((), unresolved)


def test_ipv6_forwarding_that_is_overruled() -> None:
    settings = [boot("/etc/sysctl.d/99-z.conf", V6, "0"), boot("/etc/sysctl.d/99-z.conf", RA0, "0")]
    host_state = state(sysctls={V6: "1"}, files={SYSCTL_PATH: ours(f"{V6} = 1\n")}, boot_sysctls=settings)
    assert list(plan_forwarding(ipv6_cluster(), host_state).unresolved) == [
        overruled("/etc/sysctl.d/99-z.conf", V6, f"{V6}=0")
    ]


ALL_OF_OURS = {SYSCTL_PATH: ours(f"{V4} = 1\n"), BEFORE_PATH: before(f"{V4} = 0\n{REDIRECTS} = 1\n")}


@pytest.mark.parametrize(
    ("host_state", "expected", "notes"),
    [
        (state(), [], []),
        # what this software turned on goes off, with what the kernel changes along with it
        (
            state(sysctls={V4: "1"}, files=ALL_OF_OURS),
            [f"remove {SYSCTL_PATH}", f"set {V4} 1 -> 0", f"remove {BEFORE_PATH}"],
            [],
        ),
        # what was on before stays on
        (
            state(sysctls={V4: "1"}, files={SYSCTL_PATH: ours(""), BEFORE_PATH: before(f"{V4} = 1\n")}),
            [f"remove {SYSCTL_PATH}", f"remove {BEFORE_PATH}"],
            [],
        ),
        # off already
        (
            state(sysctls={V4: "0"}, files=ALL_OF_OURS),
            [f"remove {SYSCTL_PATH}", f"remove {BEFORE_PATH}"],
            [],
        ),
        # nobody knows what was before
        (state(sysctls={V4: "1"}, files={SYSCTL_PATH: ours("")}), [f"remove {SYSCTL_PATH}"], []),
        # files in our places that are not ours
        (
            state(
                sysctls={V4: "1"},
                files={
                    SYSCTL_PATH: FileState(f"{V4} = 1\n", 0o644, 0, 0),
                    BEFORE_PATH: FileState(f"{V4} = 0\n", 0o644, 0, 0),
                },
            ),
            [],
            [],
        ),
        # by now somebody else wants it, whatever they call it
        (
            state(
                sysctls={V4: "1"},
                files=ALL_OF_OURS,
                boot_sysctls=[boot("/etc/sysctl.d/10-cni.conf", "net.ipv4.conf.all.forwarding", "1"), OWN_SETTING],
            ),
            [f"remove {SYSCTL_PATH}", f"remove {BEFORE_PATH}"],
            [f"{V4} stays 1: /etc/sysctl.d/10-cni.conf sets it at boot"],
        ),
        (
            state(
                sysctls={V4: "1"},
                files=ALL_OF_OURS,
                boot_sysctls=[boot("/etc/sysctl.d/10-off.conf", V4, "0"), OWN_SETTING],
            ),
            [f"remove {SYSCTL_PATH}", f"set {V4} 1 -> 0", f"remove {BEFORE_PATH}"],
            [],
        ),
        # forwarding goes off before accept_ra goes back; an interface that is gone is left out
        (
            state(
                sysctls={V4: "1", V6: "1", RA0: "2"},
                files={SYSCTL_PATH: ours(""), BEFORE_PATH: before(f"{RA0} = 1\n{RA7} = 1\n{V6} = 0\n{V4} = 0\n")},
            ),
            [
                f"remove {SYSCTL_PATH}",
                f"set {V4} 1 -> 0",
                f"set {V6} 1 -> 0",
                f"set {RA0} 2 -> 1",
                f"remove {BEFORE_PATH}",
            ],
            [],
        ),
    ],
)
def test_what_is_put_back(host_state: HostState, expected: list[str], notes: list[str]) -> None:
    host_plan = plan_forwarding_removal(host_state)
    assert [
        f"{change.action} {change.subject}" + (f" {change.before} -> {change.after}" if change.action == "set" else "")
        for change in host_plan.changes
    ] == expected
    assert list(host_plan.notes) == notes
    for change in host_plan.changes:
        first = RemoveFile(change.subject) if change.action == "remove" else SetSysctl(change.subject, change.after)
        assert change.steps[0] == first


def test_turning_forwarding_off_puts_back_what_the_kernel_resets_with_it() -> None:
    host_plan = plan_forwarding_removal(state(sysctls={V4: "1", REDIRECTS: "0"}, files=ALL_OF_OURS))
    assert host_plan.changes[1].steps == (SetSysctl(V4, "0"), SetSysctl(REDIRECTS, "1"))
