"""Ansible, as its documentation advises for speed: pipelining, no facts that nobody needs, more forks.

One task each for the kernel parameter, the script, the unit's file and the unit; systemd reloads, and the unit starts
anew, only where files have changed.
"""

from functools import partial
from pathlib import Path

from benchmarks.contenders import Command, Contender, Work
from benchmarks.contenders.files import SCRIPT_PATH, SYSCTL_PATH, UNIT, UNIT_PATH
from benchmarks.environment import environment_folder
from benchmarks.sites import KEY_FILE, Site
from lab.template import USER

_CONFIG = """\
[defaults]
inventory = {folder}/hosts.yaml
forks = {forks}
interpreter_python = /usr/bin/python3
host_key_checking = True
retry_files_enabled = False

[connection]
pipelining = True
"""

_PLAYBOOK = f"""\
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Forward packets
      ansible.posix.sysctl:
        name: net.ipv4.ip_forward
        value: "1"
        sysctl_file: {SYSCTL_PATH}

    - name: Install the script
      ansible.builtin.template:
        src: routes.sh.j2
        dest: {SCRIPT_PATH}
        mode: "0755"
      register: script

    - name: Install the unit
      ansible.builtin.copy:
        src: routes.service
        dest: {UNIT_PATH}
        mode: "0644"
      register: unit

    - name: Enable and start the unit
      ansible.builtin.systemd_service:
        name: routes.service
        enabled: true
        state: "{{{{ 'restarted' if script is changed or unit is changed else 'started' }}}}"
        daemon_reload: "{{{{ unit is changed }}}}"
"""

_SCRIPT = """\
#!/bin/sh
{% for route in pod_routes if route.worker != inventory_hostname %}
/sbin/ip route replace {{ route.cidr }} via {{ route.via }} dev eth0
{% endfor %}
"""


def render_inventory(site: Site) -> str:
    """Ansible's inventory, with the pod routes as a variable of all.

    Args:
        site: The cluster.
    """
    lines = ["all:", "  vars:", f"    ansible_user: {USER}", f"    ansible_ssh_private_key_file: {KEY_FILE}"]
    lines.append("    pod_routes:")
    lines += [
        f"      - {{worker: {host.name}, cidr: {host.pod_cidr}, via: {host.address.ip}}}"
        for host in site.hosts
        if host.pod_cidr is not None
    ]
    lines.append("  hosts:")
    lines += [f"    {host.name}: {{ansible_host: {site.address(host)}}}" for host in site.hosts]
    return "\n".join(lines) + "\n"


def _command(forks: int, site: Site) -> Command:
    folder = Path(site.folder, f"ansible-{forks}")
    folder.mkdir(exist_ok=True)
    texts = {
        "ansible.cfg": _CONFIG.format(folder=folder, forks=forks),
        "hosts.yaml": render_inventory(site),
        "playbook.yaml": _PLAYBOOK,
        "routes.sh.j2": _SCRIPT,
        "routes.service": UNIT,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    program = environment_folder() / "bin/ansible-playbook"
    environment = {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        # Several labs have the same addresses: what stays connected must not be met by a later run in another one.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "LC_ALL": "C.UTF-8",
    }
    return Command((str(program), str(folder / "playbook.yaml")), environment)


ANSIBLE_5 = Contender(
    "ansible-5", "Ansible, 5 forks", {work: partial(_command, 5) for work in (Work.FIRST, Work.AGAIN)}
)
ANSIBLE_50 = Contender(
    "ansible-50", "Ansible, 50 forks", {work: partial(_command, 50) for work in (Work.FIRST, Work.AGAIN)}
)
