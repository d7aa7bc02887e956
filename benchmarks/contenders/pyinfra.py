"""pyinfra, with the operations that its documentation has for this; all hosts at once, which is its default."""

import json
from pathlib import Path

from benchmarks.contenders import Command, Contender, Work
from benchmarks.contenders.files import SCRIPT_PATH, SYSCTL_PATH, UNIT, UNIT_PATH
from benchmarks.environment import environment_folder
from benchmarks.sites import KEY_FILE, Site
from lab.template import USER

_INVENTORY = """\
import json
from pathlib import Path

data = json.loads((Path(__file__).parent / "cluster.json").read_text())
hosts = [(name, {"ssh_hostname": address}) for name, address in data["hosts"].items()]
cluster = (hosts, data["all"])
"""

_DEPLOY = f"""\
from pyinfra import host
from pyinfra.operations import files, server, systemd

server.sysctl(
    name="Forward packets",
    key="net.ipv4.ip_forward",
    value=1,
    persist=True,
    persist_file="{SYSCTL_PATH}",
    _sudo=True,
)
script = files.template(
    name="Install the script",
    src="routes.sh.j2",
    dest="{SCRIPT_PATH}",
    mode="755",
    routes=[route for route in host.data.pod_routes if route["worker"] != host.name],
    _sudo=True,
)
unit = files.put(name="Install the unit", src="routes.service", dest="{UNIT_PATH}", mode="644", _sudo=True)
systemd.service(
    name="Enable and start the unit",
    service="routes.service",
    enabled=True,
    running=True,
    restarted=script.will_change or unit.will_change,
    daemon_reload=unit.will_change,
    _sudo=True,
)
"""

_SCRIPT = """\
#!/bin/sh
{% for route in routes %}
/sbin/ip route replace {{ route.cidr }} via {{ route.via }} dev eth0
{% endfor %}
"""


def _command(site: Site) -> Command:
    folder = Path(site.folder, "pyinfra")
    folder.mkdir(exist_ok=True)
    cluster = {
        "hosts": {host.name: site.address(host) for host in site.hosts},
        "all": {
            "ssh_user": USER,
            "ssh_key": KEY_FILE,
            "ssh_strict_host_key_checking": "yes",
            "pod_routes": [
                {"worker": host.name, "cidr": str(host.pod_cidr), "via": str(host.address.ip)}
                for host in site.hosts
                if host.pod_cidr is not None
            ],
        },
    }
    texts = {
        "cluster.json": json.dumps(cluster),
        "inventory.py": _INVENTORY,
        "deploy.py": _DEPLOY,
        "routes.sh.j2": _SCRIPT,
        "routes.service": UNIT,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    program = environment_folder() / "bin/pyinfra"
    # It looks for the deploy's files in its working folder, and needs no answer.
    return Command((str(program), "-y", "--chdir", str(folder), "inventory.py", "deploy.py"))


PYINFRA = Contender("pyinfra", "pyinfra", dict.fromkeys((Work.FIRST, Work.AGAIN), _command))
