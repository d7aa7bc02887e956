"""A lab with a real LXD, as the tests of its plugins see it."""

import contextlib
import re
import socket
import socketserver
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import Lab
from lab.lxd.lxd import Lxd
from lab.paths import NETNS
from tests.integration.cluster import DATA, HOST_LOCK, ROOT, SCRIPT, SYSCTL, UNIT, Cluster

EXAMPLE = ROOT / "examples" / "lxd"
CONTROLLERS = ("controller-0", "controller-1", "controller-2")
WORKERS = ("worker-0", "worker-1", "worker-2")
NODES = (*CONTROLLERS, *WORKERS)
POD_CIDRS = {f"worker-{x}": f"10.200.{x}.0/24" for x in range(9)}
PODS = {f"worker-{x}": f"10.200.{x}.2" for x in range(9)}
NEXT_HOPS = {f"worker-{x}": f"10.0.2.2{x}" for x in range(9)}

# As a node is before anything was provisioned, whatever a test did to it.
PRISTINE = f"""
systemctl disable --now routes.service 2>/dev/null || true
rm -rf {DATA.rpartition("/")[0]} {SCRIPT} {UNIT} {UNIT}.d {SYSCTL} {HOST_LOCK} /run/kubernetes-routes
systemctl daemon-reload
systemctl reset-failed
for table in 'proto 201' 'proto static' 'proto boot'; do ip route flush root 10.200.0.0/16 $table; done
echo 0 >/proc/sys/net/ipv4/ip_forward
"""


class RequestCounter:
    """A unix socket that leads to the daemon's, and counts what is asked about each instance.

    Args:
        target: The daemon's socket.
        path: Where it listens itself.

    Attributes:
        path: Likewise.
        requests: How many there were, by the instance's name.
    """

    def __init__(self, target: Path, path: Path) -> None:
        self.path = path
        self.requests: Counter[str] = Counter()
        counter = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as daemon:
                    daemon.connect(str(target))
                    answers = threading.Thread(target=_carry, args=(daemon, self.request, bytes))
                    answers.start()
                    _carry(self.request, daemon, counter.count)
                    answers.join()

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def count(self, data: bytes) -> None:
        """Count a request, if this is the beginning of one."""
        asked = re.match(rb"(?:GET|POST|PUT|DELETE) /1\.0/instances/([a-z0-9-]+)[/? ]", data)
        if asked is not None:
            self.requests[asked[1].decode()] += 1

    def __enter__(self) -> "RequestCounter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _carry(source: socket.socket, sink: socket.socket, note: Callable[[bytes], object]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            note(data)
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class LxdLab(Cluster):
    """A running lab whose hosts, or some of them, are containers.

    Args:
        lab: The lab, up.
        folder: Where inventories and reports are written.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab, folder)
        self.lxd = Lxd(lab)

    @property
    def hosts(self) -> list[str]:
        """Names of the machines of the cluster, containers first."""
        containers = [node.name for node in self.lxd.nodes if node.role != "haproxy"]
        return containers + [host.name for host in self.lab.hosts]

    def on(self, host: str, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a command as root on a node, by neither SSH nor LXD, and return what it prints."""
        if any(one.name == host for one in self.lab.hosts):
            return super().on(host, *argv, stdin=stdin, check=check)
        done = self.lxd.exec(host, argv, stdin=stdin)
        assert not check or done.returncode == 0, f"{host}: {' '.join(argv)}: {done.stderr}"
        return done.stdout

    def config(self, *, hosts: dict[str, Any] | None = None, **options: object) -> Path:
        """The example's configuration with other options, and another `hosts.yaml`; returns its path."""
        yaml = YAML()
        folder = self.folder / f"config-{next(self._numbers)}"
        folder.mkdir()
        for file in EXAMPLE.iterdir():
            (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        config = yaml.load((folder / "config.yaml").read_text(encoding="utf-8"))
        config["inventory"]["options"] |= options
        yaml.dump(config, folder / "config.yaml")
        if hosts is not None:
            yaml.dump(hosts, folder / "hosts.yaml")
        return folder / "config.yaml"

    def make_pristine(self) -> None:
        """All containers run, and are as they were before anything was provisioned; so is LXD."""
        self.lxd.start_daemon()
        for one in self.lxd.status():
            if one.state != "running":
                self.lxd.start(one.node.name)
        self.everywhere(lambda host: self.shell(host, PRISTINE))

    def guides_routes(self, host: str) -> list[str]:
        """The pod routes that a node should have, as `ip route` prints them."""
        workers = [name for name in self.hosts if name.startswith("worker") and name != host]
        device = "eth0" if any(one.name == host for one in self.lab.hosts) else "eth1"
        return [f"{POD_CIDRS[name]} via {NEXT_HOPS[name]} dev {device}" for name in sorted(workers)]

    def answered(self, sources: Iterable[str], targets: Iterable[str]) -> dict[tuple[str, str], bool]:
        """Ping pods from pods of workers, and from controllers; by names of the machines."""

        def ping(pair: tuple[str, str]) -> bool:
            source, target = pair
            argv = ["nsenter", f"--net={self._namespace(source)}", "ping", "-c", "1", "-W", "2", "-q", PODS[target]]
            return subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode == 0

        wanted = list(targets)
        pairs = [(source, target) for source in sources for target in wanted if source != target]
        with ThreadPoolExecutor(16) as pool:
            return dict(zip(pairs, pool.map(ping, pairs), strict=True))

    def _namespace(self, host: str) -> Path:
        """Where pings of a machine come from: a worker's pod, or the controller itself."""
        is_worker = host.startswith("worker")
        if any(one.name == host for one in self.lab.hosts):
            of = self.lab.paths.host(host)
            return NETNS / (of.pod_netns if is_worker else of.netns)
        (pid,) = (one.pid for one in self.lxd.status() if one.node.name == host)
        return Path(f"/proc/{pid}/root/run/netns/pod" if is_worker else f"/proc/{pid}/ns/net")
