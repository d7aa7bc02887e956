"""The LXD guide, against a real LXD."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from podroutes.errors import HostError
from podroutes.plugins.connections.lxd import Lxd as Plugin
from tests.integration.cluster import DATA, new_lab
from tests.integration.lxd_lab import EXAMPLE, NODES, WORKERS, LxdLab, RequestCounter

CONFIG = EXAMPLE / "config.yaml"
HAPROXY = "note: haproxy: not taken for a machine of the cluster: its name fits none of controller-*, worker-*"
GUIDE = "for i in 0 1 2; do lxc exec worker-${i} -- ip route add 10.200.0.0/24 via 10.0.2.20 dev eth1; done"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(scope="module")
def lab_of_containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LxdLab]:
    with new_lab("-lxd", controllers=0, workers=0, node_network="10.0.2.0/24", containers=True) as lab:
        cluster = LxdLab(lab, tmp_path_factory.mktemp("lxd"))
        cluster.lxd.up()
        yield cluster


@pytest.fixture
def containers(lab_of_containers: LxdLab) -> LxdLab:
    lab_of_containers.make_pristine()
    return lab_of_containers


@pytest.fixture
def provisioned(containers: LxdLab) -> LxdLab:
    assert containers.provision(inventory=CONFIG).exit_code == 0
    return containers


def assert_all_routes(cluster: LxdLab) -> None:
    assert cluster.everywhere(lambda host: cluster.routes(host, "proto", "201")) == {
        host: cluster.guides_routes(host) for host in cluster.hosts
    }


def test_the_guides_own_loop_leaves_pods_cut_off_and_the_runbook_puts_it_right(containers: LxdLab) -> None:
    containers.lab.operator(["sh", "-c", GUIDE])
    assert containers.routes("worker-1", "10.200.0.0/24") == ["10.200.0.0/24 via 10.0.2.20 dev eth1"]
    assert not any(containers.answered(NODES, WORKERS).values())

    checked = containers.run("drift_check", inventory=CONFIG)
    assert checked.exit_code == 2
    assert checked.outcomes == dict.fromkeys(NODES, "drift")

    first = containers.provision(inventory=CONFIG)
    assert (first.exit_code, first.outcomes) == (0, dict.fromkeys(NODES, "changed")), first.text
    assert_all_routes(containers)
    for node in NODES:
        assert containers.on(node, "cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
        assert containers.on(node, "systemctl", "is-enabled", "routes.service") == "enabled\n"
    # The loop gives every worker this route, so worker-0 has one to its own pods: but its kernel refused it.
    assert containers.routes("worker-0", "10.200.0.0/24")[0].startswith("10.200.0.0/24 dev cnio0 proto kernel")
    assert all(containers.answered(NODES, WORKERS).values())

    second = containers.provision(inventory=CONFIG)
    assert (second.exit_code, second.outcomes) == (0, dict.fromkeys(NODES, "ok"))
    assert HAPROXY in second.stdout.splitlines()


def test_a_run_leaves_nothing_behind_but_what_it_installs(provisioned: LxdLab) -> None:
    for node in NODES:
        assert containers_files(provisioned, node, "/run", "pod-routes-*") == ""
        logs = provisioned.lxd.lxc(["query", f"/1.0/instances/{node}/logs"]).stdout
        assert "exec_" not in logs, logs


def containers_files(cluster: LxdLab, node: str, folder: str, pattern: str) -> str:
    return cluster.on(node, "find", folder, "-name", pattern)


def test_drift_is_found_and_repaired(provisioned: LxdLab) -> None:
    faults = {
        "worker-0": ("ip route del 10.200.1.0/24", {"route-missing", "unit-without-routes"}),
        "worker-1": ("ip route replace 10.200.2.0/24 via 10.0.2.20 dev eth1 proto 201", {"route-wrong-next-hop"}),
        "worker-2": ("echo 0 >/proc/sys/net/ipv4/ip_forward", {"forwarding-off"}),
        "controller-0": (f"echo '# edited' >>{DATA}", {"unit-edited"}),
        "controller-1": ("systemctl disable routes.service", {"unit-disabled"}),
    }
    provisioned.everywhere(lambda host: provisioned.shell(host, faults[host][0]), faults)
    found = provisioned.run("drift_check", inventory=CONFIG)
    assert (found.exit_code, found.hosts_that_are("drift")) == (2, set(faults))
    for host, (_, codes) in faults.items():
        said = {finding["code"] for finding in found.hosts[host]["findings"]}
        assert codes <= said <= codes | {"manager-removes-routes", "unit-without-routes"}, (host, said)
    fixed = provisioned.run("drift_check", "--fix", inventory=CONFIG)
    assert (fixed.exit_code, fixed.hosts_that_are("changed")) == (0, set(faults)), fixed.text
    assert_all_routes(provisioned)
    assert provisioned.run("drift_check", inventory=CONFIG).exit_code == 0


def test_a_stopped_container_is_unreachable_and_its_pods_stay_known_to_the_others(containers: LxdLab) -> None:
    containers.lxd.stop("worker-1", force=True)
    run = containers.provision(inventory=CONFIG)
    assert (run.exit_code, run.hosts_that_are("unreachable")) == (1, {"worker-1"})
    assert run.hosts_that_are("changed") == set(NODES) - {"worker-1"}
    assert run.reason("worker-1") == "worker-1: the instance is stopped; `lxc start worker-1` starts it"
    for node in set(NODES) - {"worker-1"}:
        assert containers.routes(node, "proto", "201") == containers.guides_routes(node)
    checked = containers.run("drift_check", inventory=CONFIG)
    assert (checked.exit_code, "checked 5 of 6; 1 unknown" in checked.stdout) == (1, True)


def test_routes_come_back_when_a_container_restarts(provisioned: LxdLab) -> None:
    provisioned.lxd.restart("worker-2")
    assert provisioned.routes("worker-2", "proto", "201") == provisioned.guides_routes("worker-2")
    assert provisioned.on("worker-2", "cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
    run = provisioned.provision(inventory=CONFIG)
    assert run.outcomes == dict.fromkeys(NODES, "ok"), run.text
    assert all(provisioned.answered(["worker-2"], WORKERS).values())


@pytest.mark.parametrize("kill", [False, True])
def test_a_daemon_that_restarts_in_mid_run_leaves_nothing_that_is_not_said_or_fixed(
    containers: LxdLab, *, kill: bool
) -> None:
    for node in NODES:
        # The unit's script waits for this lock, so the commands of all are under way when it happens.
        containers.shell(
            node,
            "umask 077; mkdir -p /run/kubernetes-routes; exec 8>>/run/kubernetes-routes/lock; flock 8; "
            "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! >/run/holder",
        )
    with containers.start("provision", "--yes", inventory=CONFIG) as running:
        for node in NODES:
            containers.shell(node, "until grep -qsx flock /proc/[0-9]*/comm; do sleep 0.1; done")
        for node in NODES:
            # A daemon that is asked to stop waits for the commands.
            containers.shell(node, "setsid sh -c 'sleep 4; kill $(cat /run/holder)' </dev/null >/dev/null 2>&1 &")
        containers.lxd.restart_daemon(kill=kill)
        run = running.finish()
    for node, outcome in run.outcomes.items():
        if outcome in ("ok", "changed"):
            assert containers.routes(node, "proto", "201") == containers.guides_routes(node)
        else:
            assert outcome == "unreachable", run.reason(node)
            assert "daemon" in run.reason(node) or "lxc remote local" in run.reason(node), run.reason(node)
    assert run.exit_code == (0 if set(run.outcomes.values()) <= {"ok", "changed"} else 1)
    for node in NODES:
        # What a daemon that was killed had begun goes on without it.
        containers.shell(node, "flock --timeout 60 /run/pod-routes.lock true")
    again = containers.provision(inventory=CONFIG)
    assert again.exit_code == 0, again.text
    assert_all_routes(containers)


def test_no_daemon_is_a_line_and_an_exit_code(containers: LxdLab) -> None:
    containers.lxd.stop_daemon()
    run = containers.run("drift_check", inventory=CONFIG)
    assert (run.exit_code, run.stdout) == (1, "")
    assert re.fullmatch(
        r"drift_check.py: lxc remote local \(.*/unix.socket\): nobody answers: is the daemon running\?\n", run.stderr
    ), run.stderr


def test_two_thousand_commands_from_twelve_threads_lose_nothing(
    containers: LxdLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", str(containers.lxd.folder))
    monkeypatch.setenv("LXD_CONF", str(containers.folder))
    before = _open_files()
    numbers = iter(range(2000))
    lock = threading.Lock()

    def work(thread: int) -> list[str]:
        plugin = Plugin()
        plugin.open(NODES[thread % len(NODES)], None, None, None, None, {})
        wrong = []
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            try:
                said = plugin.connection.run_script(
                    f"echo out-{number}; echo err-{number} >&2; exit {number % 200}", timeout=30
                )
            except HostError as error:
                wrong.append(f"{number}: {error}")
                continue
            if (said.status, said.stdout, said.stderr) != (number % 200, f"out-{number}\n", f"err-{number}\n"):
                wrong.append(f"{number}: {said}")
        plugin.close()
        return wrong

    with ThreadPoolExecutor(12) as pool:
        assert [line for lines in pool.map(work, range(12)) for line in lines] == []
    assert _open_files() == before


def test_a_script_that_takes_too_long_is_ended_and_one_that_reads_gets_nothing(
    containers: LxdLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", str(containers.lxd.folder))
    monkeypatch.setenv("LXD_CONF", str(containers.folder))
    plugin = Plugin()
    plugin.open("worker-0", None, None, None, None, {})
    assert plugin.connection.run_script("cat; id -u; umask", timeout=10).stdout.splitlines()[0] == "0"
    with pytest.raises(HostError, match=r"worker-0: the command did not end within 1\.0 s"):
        plugin.connection.run_script("sleep 987", timeout=1)
    deadline = time.monotonic() + 120
    while "sleep 987" in containers.on("worker-0", "ps", "-eo", "args"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    plugin.close()


class TestInventory:
    def test_what_instances_say_themselves_outranks_their_names(self, containers: LxdLab) -> None:
        set_ = ["config", "set"]
        containers.lxd.lxc([*set_, "haproxy", "user.group", "none"])
        containers.lxd.lxc([*set_, "controller-2", "user.group", "workers"])
        containers.lxd.lxc([*set_, "controller-2", "user.pod-index", "7"])
        try:
            shown = containers.run("show_routes", "--limit", "controller-0", inventory=CONFIG)
            assert re.search(r"^controller-2 +10\.0\.2\.12 +10\.200\.7\.0/24", shown.stdout, re.MULTILINE), shown.stdout
            assert "note: haproxy: not a machine of the cluster: its user.group is none" in shown.stderr
        finally:
            for name, key in (("haproxy", "group"), ("controller-2", "group"), ("controller-2", "pod-index")):
                containers.lxd.lxc(["config", "unset", name, f"user.{key}"])

    def test_every_problem_at_once_with_its_place_and_nothing_is_touched(self, containers: LxdLab) -> None:
        before = containers.everywhere(containers.routes)
        hosts = {"worker-9": {"data": {"pod_index": 9}}, "worker-1": {"data": {"pod_index": 0, "interfaces": "eth1"}}}
        config = containers.config(hosts=hosts, workers=["worker-*", "haproxy"])
        run = containers.provision(inventory=config)
        assert (run.exit_code, run.stdout) == (64, "")
        said = run.stderr.replace(f"{config.parent}/", "")
        for line in (
            "  hosts.yaml: worker-1: data.interfaces: unknown key",
            "  hosts.yaml: worker-9: there is no instance of this name (lxc remote local has: controller-0, ",
            "  lxc remote local: haproxy: data.internal_ips: eth1 has no IPv4 address in 10.0.2.0/24; write",
        ):
            assert line in said, said
        assert containers.everywhere(containers.routes) == before

    def test_a_project_without_instances_has_no_workers(self, containers: LxdLab) -> None:
        containers.lxd.lxc(["project", "create", "empty"])
        try:
            run = containers.run("drift_check", inventory=containers.config(project="empty"))
            assert (run.exit_code, run.stdout) == (64, "")
            assert "no host is in the group workers" in run.stderr
        finally:
            containers.lxd.lxc(["project", "delete", "empty"])


def test_a_remote_over_https_is_the_one_that_lxc_knows_and_no_other(containers: LxdLab) -> None:
    lxc = containers.lxd.lxc
    try:
        assert lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).returncode == 0
        assert lxc(["config", "set", "core.trust_password", "lab"]).returncode == 0
        added = lxc(["remote", "add", "far", "127.0.0.1:8443", "--accept-certificate", "--password", "lab"])
        assert added.returncode == 0, added.stderr
        config = containers.config(remote="far")
        run = containers.provision(inventory=config)
        assert (run.exit_code, run.outcomes) == (0, dict.fromkeys(NODES, "changed")), run.text
        assert_all_routes(containers)

        server = containers.lxd.paths.client / "servercerts" / "far.crt"
        known = server.read_text()
        server.write_text((containers.lxd.paths.client / "client.crt").read_text())
        refused = containers.run("drift_check", inventory=config)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "the server's certificate is not the one that is known" in refused.stderr
        server.write_text(known)

        fingerprint = lxc(["config", "trust", "list", "--format", "csv"]).stdout.split(",")[3]
        assert lxc(["config", "trust", "remove", fingerprint]).returncode == 0
        stranger = containers.run("drift_check", inventory=config)
        assert (stranger.exit_code, stranger.stdout) == (1, "")
        assert "is this client's certificate trusted there?" in stranger.stderr, stranger.stderr
    finally:
        lxc(["remote", "remove", "far"])
        lxc(["config", "unset", "core.trust_password"])
        lxc(["config", "unset", "core.https_address"])


def test_show_routes_prints_what_the_guide_prints(provisioned: LxdLab) -> None:
    text = provisioned.run("show_routes", "--format", "text", "--limit", "workers", inventory=CONFIG).stdout
    for node in WORKERS:
        block = text.partition(f"==> {node}\n")[2].partition("==>")[0]
        assert [line.rstrip() for line in block.splitlines()] == [
            line.rstrip() for line in provisioned.on(node, "ip", "route").splitlines()
        ]
    rows = provisioned.run("show_routes", "--format", "gcloud", inventory=CONFIG).stdout.splitlines()
    assert [row.split() for row in rows] == [
        ["NAME", "NETWORK", "DEST_RANGE", "NEXT_HOP", "PRIORITY"],
        ["default-route-0-0-0-0-0", "kubernetes-the-hard-way", "0.0.0.0/0", "10.0.1.1", "1024"],
        ["default-route-10-0-2-0-24", "kubernetes-the-hard-way", "10.0.2.0/24", "kubernetes-the-hard-way", "1024"],
        *(
            [f"kubernetes-route-10-200-{x}-0-24", "kubernetes-the-hard-way", f"10.200.{x}.0/24", f"10.0.2.2{x}", "0"]
            for x in range(3)
        ),
    ]


def test_deprovision_takes_back_exactly_ours(provisioned: LxdLab) -> None:
    run = provisioned.deprovision(inventory=CONFIG)
    assert (run.exit_code, run.outcomes) == (0, dict.fromkeys(NODES, "changed")), run.text
    for node in NODES:
        assert provisioned.routes(node, "proto", "201") == []
        assert provisioned.on(node, "cat", "/proc/sys/net/ipv4/ip_forward") == "0\n"
        assert provisioned.on(node, "systemctl", "is-enabled", "routes.service", check=False) == ""


def test_pings_prove_it_on_the_data_plane(provisioned: LxdLab) -> None:
    run = provisioned.run("drift_check", "--ping", inventory=CONFIG)
    assert run.exit_code == 0, run.text
    between_workers = [one for one in run.report["directions"] if one["source"].startswith("worker")]
    assert [(one["state"], one["ping"]) for one in between_workers] == [("ok", "answered")] * 6


def test_hosts_over_ssh_and_in_lxd_are_one_cluster_in_one_report(tmp_path_factory: pytest.TempPathFactory) -> None:
    with new_lab("-mixed", controllers=1, workers=1, node_network="10.0.2.0/24") as lab:
        cluster = LxdLab(lab, tmp_path_factory.mktemp("mixed"))
        cluster.lxd.up(controllers=0, workers=2, haproxy=False, first_worker=1)
        over_ssh = {
            "controller-0": {"hostname": "10.0.2.10", "username": "ubuntu", "groups": ["controllers"]},
            "worker-0": {
                "hostname": "10.0.2.20",
                "username": "ubuntu",
                "groups": ["workers"],
                "data": {"pod_index": 0, "interface": "eth0"},
            },
        }
        config = cluster.config(hosts=over_ssh)
        everyone = ["worker-1", "worker-2", "controller-0", "worker-0"]
        run = cluster.provision(inventory=config)
        assert (run.exit_code, run.outcomes) == (0, dict.fromkeys(everyone, "changed")), run.text
        assert_all_routes(cluster)
        workers = ["worker-0", "worker-1", "worker-2"]
        assert all(cluster.answered(everyone, workers).values())
        again = cluster.provision(inventory=config)
        assert (again.exit_code, again.outcomes) == (0, dict.fromkeys(everyone, "ok")), again.text


def test_what_a_run_costs_each_container_in_requests(containers: LxdLab) -> None:
    """Of them comes most of the time that a run takes longer than over SSH."""
    with RequestCounter(containers.lxd.socket, containers.folder / "counted.socket") as counter:
        folder = containers.folder / "counted"
        folder.mkdir()
        remotes = f"default-remote: local\nremotes:\n  local:\n    addr: unix://{counter.path}\n"
        (folder / "config.yml").write_text(remotes)
        run = containers.provision(inventory=containers.config(config_folder=str(folder)))
    assert run.hosts_that_are("changed") == set(NODES), run.text
    # Its state; and for each command a file, its start, and what it said: two files, read and deleted. Its end is asked
    # for by the operation's name.
    assert counter.requests == {node: 1 + 6 * run.hosts[node]["commands"] for node in NODES}
