"""Hosts that were set up by hand after the guide: provisioning takes them over while pods go on talking."""

import re
import subprocess
import time
from pathlib import Path

from lab.paths import NETNS
from tests.integration.cluster import SCRIPT, UNIT, Cluster

SEED = Path(__file__).parent / "data" / "seed"


def set_up_after_the_guide(cluster: Cluster, host: str) -> None:
    """Its commands, as it gives them."""
    # The guide's script finds workers by `grep " worker-"`: one blank between address and name.
    cluster.shell(host, "sed -i 's/\\t/ /' /etc/hosts")
    cluster.shell(host, "sysctl -w net.ipv4.ip_forward=1")
    cluster.on(host, "tee", UNIT, stdin=(SEED / "routes.service").read_text())
    cluster.on(host, "tee", SCRIPT, stdin=(SEED / "basic-kubernetes-routes.sh").read_text())
    cluster.shell(
        host,
        f"chmod 0644 {UNIT} && chmod 0755 {SCRIPT} && systemctl daemon-reload && systemctl enable routes"
        " && systemctl restart routes",
    )


def test_takes_over_hosts_of_the_guide_without_losing_a_packet(fresh: Cluster, tmp_path: Path) -> None:
    fresh.everywhere(lambda host: set_up_after_the_guide(fresh, host))
    fresh.assert_pods_are_reached()
    assert fresh.routes("worker-1", "to", "root", "10.200.0.0/16", "proto", "boot") == fresh.desired_routes("worker-1")
    before = fresh.take_snapshots()

    # A hundred packets a second from one pod to another, from before the run until after it.
    paths, target = fresh.lab.paths, fresh.lab.layout.host("worker-2").pod_addresses[0]
    pod = NETNS / paths.host("worker-0").pod_netns
    ping = ["nsenter", f"--net={pod}", "ping", "-n", "-i", "0.01", str(target)]
    shown = tmp_path / "ping"

    def answers() -> list[int]:
        return [int(number) for number in re.findall(r"icmp_seq=(\d+) ", shown.read_text())]

    def wait_for_more_than(count: int) -> None:
        deadline = time.monotonic() + 60
        while len(answers()) <= count:
            assert time.monotonic() < deadline, f"no answer after {count}"
            time.sleep(0.01)

    with shown.open("w") as output, subprocess.Popen(ping, stdout=output) as pinging:
        try:
            wait_for_more_than(0)
            run = fresh.provision()
            wait_for_more_than(len(answers()))
        finally:
            pinging.terminate()

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    reasons = {change["reason"] for change in run.hosts["worker-0"]["changes"]}
    assert "taken over from the boot script" in reasons
    assert "taken over; what was there is kept as /etc/kubernetes-routes/replaced/routes.service" in reasons
    assert answers() == list(range(1, len(answers()) + 1))
    for host in fresh.hosts:
        assert fresh.our_routes(host) == fresh.desired_routes(host)
        assert fresh.routes(host, "to", "root", "10.200.0.0/16", "proto", "boot") == []
    assert fresh.provision().hosts_that_are("ok") == set(fresh.hosts)

    fresh.lab.reboot()
    fresh.assert_pods_are_reached()

    # What the guide had put there comes back: script and unit as they were, the unit not started.
    removed = fresh.deprovision()
    assert removed.exit_code == 0, removed.text
    assert "the routes.service that was there before is restored, and disabled" in removed.stdout
    for host, after in fresh.take_snapshots().items():
        for path in (SCRIPT, UNIT):
            assert after.files[path] == before[host].files[path]
        assert [path for path in after.files if path.startswith("/etc/kubernetes-routes")] in (
            [],
            ["/etc/kubernetes-routes"],
        )
        assert fresh.on(host, "systemctl", "is-enabled", "routes", check=False) == "disabled\n"
        assert fresh.our_routes(host) == []
