"""The lab's hosts before and after a measurement: put back to what they were, and read to see what they have become."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.runs import RunFailedError
from lab import Lab
from lab.layout import Host

_THREADS = 8
UNIT = "routes.service"

# By hand and not by a reboot, which would take minutes for many hosts. Names every file that a contender leaves; where
# none has been, there is nothing to do. /etc/hosts becomes what the guide's script expects, with one blank.
_RESET = r"""
awk '{ $1 = $1 } !seen[$0]++' /etc/hosts >/run/hosts && cat /run/hosts >/etc/hosts && rm /run/hosts
if [ -e /etc/systemd/system/routes.service ] || [ "$(cat /proc/sys/net/ipv4/ip_forward)" != 0 ]; then
    systemctl stop routes.service 2>/dev/null
    rm -rf /etc/systemd/system/routes.service /etc/systemd/system/multi-user.target.wants/routes.service \
        /usr/local/sbin/basic-kubernetes-routes.sh /etc/kubernetes-routes /run/kubernetes-routes /run/pod-routes.lock \
        /etc/sysctl.d/90-kubernetes-pod-routes.conf /var/lib/pod-routes /root/.ansible /home/ubuntu/.ansible
    systemctl reset-failed routes.service 2>/dev/null
    ip -o route show root 10.200.0.0/13 | grep -v 'proto kernel' | sed 's/^/route del /' | ip -batch -
    echo 0 >/proc/sys/net/ipv4/ip_forward
    systemctl daemon-reload
fi >/dev/null 2>&1
"""
_READ = r"""
ip -j route show root 10.200.0.0/13; echo
cat /proc/sys/net/ipv4/ip_forward
echo "$(systemctl is-enabled routes.service 2>/dev/null)"
echo "$(systemctl is-active routes.service)"
cat /etc/sysctl.d/*.conf 2>/dev/null
"""


def reset(lab: Lab, hosts: Sequence[Host]) -> None:
    """Put hosts back to what they were after they had booted for the first time.

    Args:
        lab: Theirs.
        hosts: Which.

    Raises:
        RunFailedError: One is not pristine after it.
    """
    for host, text in zip(hosts, _everywhere(lab, hosts, _RESET + _READ), strict=True):
        problems = pristine_problems(text)
        if problems:
            raise RunFailedError(f"{host.name} could not be put back: {problems[0]}")


def check(lab: Lab, hosts: Sequence[Host], *, persistent: bool) -> list[str]:
    """Read hosts and compare them with what a contender should have made of them.

    Args:
        lab: Theirs.
        hosts: All of the cluster.
        persistent: Whether forwarding has to stay on after a reboot, too.

    Returns:
        A line for each thing that is wrong; empty if all is right.
    """
    texts = _everywhere(lab, hosts, _READ)
    wanted = [desired_routes(host, hosts) for host in hosts]
    return [
        f"{host.name}: {problem}"
        for host, text, routes in zip(hosts, texts, wanted, strict=True)
        for problem in provisioned_problems(text, routes, persistent=persistent)
    ]


def desired_routes(host: Host, hosts: Sequence[Host]) -> dict[str, str]:
    """Next hop by pod network that a host needs: every worker's but its own.

    Args:
        host: The host.
        hosts: All of the cluster.
    """
    return {
        str(other.pod_cidr): str(other.address.ip)
        for other in hosts
        if other.pod_cidr is not None and other.name != host.name
    }


def provisioned_problems(text: str, wanted: dict[str, str], *, persistent: bool) -> list[str]:
    """What differs from what is wanted, in words.

    Args:
        text: What the host printed when it was read.
        wanted: Next hop by pod network.
        persistent: Whether forwarding has to stay on after a reboot, too.
    """
    routes, forwarding, enabled, active, sysctls = _parse(text)
    problems = []
    if routes != wanted:
        differing = sorted(set(routes.items()) ^ set(wanted.items()))
        problems.append(f"routes differ: {' '.join(differing[0])} and {len(differing) - 1} more")
    if forwarding != "1":
        problems.append(f"net.ipv4.ip_forward is {forwarding}")
    if enabled != "enabled":
        problems.append(f"{UNIT} is {enabled}, not enabled")
    if active != "active":
        problems.append(f"{UNIT} is {active}, not active")
    if persistent and not any(_sets_forwarding(line) for line in sysctls):
        problems.append("no file of sysctl.d turns forwarding on at boot")
    return problems


def pristine_problems(text: str) -> list[str]:
    """What is left of a contender's work, in words.

    Args:
        text: What the host printed when it was read.
    """
    routes, forwarding, enabled, active, sysctls = _parse(text)
    return [
        problem
        for is_wrong, problem in (
            (bool(routes), f"it has {len(routes)} routes to pods"),
            (forwarding != "0", f"net.ipv4.ip_forward is {forwarding}"),
            (enabled not in ("", "not-found"), f"{UNIT} is {enabled}"),
            (active != "inactive", f"{UNIT} is {active}"),
            (any(_sets_forwarding(line) for line in sysctls), "a file of sysctl.d turns forwarding on"),
        )
        if is_wrong
    ]


def _parse(text: str) -> tuple[dict[str, str], str, str, str, list[str]]:
    # `ip -j` prints nothing at all for no routes; its own line end is followed by another one.
    routes, _, rest = text.lstrip("\n").rpartition("]") if text.lstrip().startswith("[") else ("", "", text)
    forwarding, enabled, active, *sysctls = rest.lstrip("\n").split("\n")
    found = {
        route["dst"]: route.get("gateway", "none")
        for route in json.loads(f"{routes}]" if routes else "[]")
        if route.get("protocol") != "kernel"
    }
    return found, forwarding, enabled, active, sysctls


def _sets_forwarding(line: str) -> bool:
    key, _, value = line.partition("=")
    return key.strip().replace("/", ".") == "net.ipv4.ip_forward" and value.strip() == "1"


def _everywhere(lab: Lab, hosts: Sequence[Host], script: str) -> list[str]:
    def run(host: Host) -> str:
        return lab.exec(host.name, ["sh"], stdin=script).stdout

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(run, hosts))
