"""Ways to a host: aliases, bastions, unknown keys, and whatever a login shell prints."""

import re
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from lab import enter
from tests.integration.cluster import ROOT, SSHD_JOURNAL, Cluster
from tests.integration.inventories import Inventory

# As the guide has it: users `ubuntu`, and a bastion in front of all that is not reached from here.
_SSH_CONFIG = """\
Host bastion
    HostName 10.240.0.10
Host node-*
    {proxy}
Host node-0
    HostName 10.240.0.20
Host node-1
    HostName 10.240.0.21
Host node-2
    HostName 10.240.0.22
Host *
    User ubuntu
    IdentityFile ~/.ssh/id_ed25519
    UserKnownHostsFile {known_hosts}
    GlobalKnownHostsFile none
"""


def behind_a_bastion(cluster: Cluster, proxy: str, *, unknown: str = "no host") -> Inventory:
    """An inventory whose workers are names of an ssh_config; one host's key may be left out of known_hosts."""
    known = (cluster.lab.paths.operator / "ssh/known_hosts").read_text().splitlines(keepends=True)
    known_hosts = cluster.folder / "known_hosts"
    known_hosts.write_text("".join(line for line in known if not line.startswith(f"{unknown},")))
    config = cluster.folder / "ssh_config"
    config.write_text(_SSH_CONFIG.format(known_hosts=known_hosts, proxy=proxy.format(config=config)))
    inventory = cluster.inventory()
    del inventory.defaults["username"]
    inventory.config["ssh"] = {"config_file": str(config)}
    for worker in cluster.workers:
        inventory.hosts[worker.name]["hostname"] = f"node-{worker.index}"
    inventory.groups["workers"] = {"data": {"first_internal_ips": "10.240.0.20"}}
    return inventory


@pytest.mark.parametrize(
    "proxy", ["ProxyJump bastion", "ProxyCommand ssh -F {config} bastion -W %h:%p"], ids=["ProxyJump", "ProxyCommand"]
)
def test_workers_behind_a_bastion_are_reached_through_it(provisioned: Cluster, proxy: str) -> None:
    run = provisioned.provision("--limit", "workers", inventory=behind_a_bastion(provisioned, proxy))

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("ok") == {"worker-0", "worker-1", "worker-2"}
    for worker in ("worker-0", "worker-1", "worker-2"):
        logins = provisioned.on(worker, "journalctl", "--output=cat", *SSHD_JOURNAL, "--grep=^Accepted publickey")
        assert " from 10.240.0.10 port " in logins.splitlines()[-1]


def test_a_host_with_an_unknown_key_is_not_logged_in_to(fresh: Cluster) -> None:
    inventory = behind_a_bastion(fresh, "# none", unknown="worker-1")
    before = fresh.take_snapshots(["worker-1"])

    run = fresh.provision("--limit", "workers", inventory=inventory)

    assert run.exit_code == 1
    assert run.outcomes == {"worker-0": "changed", "worker-1": "unreachable", "worker-2": "changed"}
    assert run.hosts["worker-1"]["error"] == "HostKeyError"
    assert "known_hosts" in run.reason("worker-1")
    fresh.assert_unchanged(before)
    assert "Accepted" not in fresh.on("worker-1", "journalctl", "--output=cat", *SSHD_JOURNAL)


def test_a_host_with_another_key_than_the_known_one_is_not_logged_in_to(fresh: Cluster) -> None:
    fresh.lab.break_("worker-1", "host-key-changed")

    run = fresh.provision("--limit", "worker-1", "--limit", "worker-2")

    assert run.exit_code == 1
    assert run.outcomes == {"worker-1": "unreachable", "worker-2": "changed"}
    assert run.hosts["worker-1"]["error"] == "HostKeyError"
    assert "Accepted" not in fresh.on("worker-1", "journalctl", "--output=cat", *SSHD_JOURNAL)


def test_prompts_greetings_and_other_shells_make_no_difference(fresh: Cluster) -> None:
    noise = r"""
printf 'Welcome to \033[31mthis\033[0m machine # $ > %% \n'; printf 'a warning\n' >&2
export PS1='[$(date)]\n#> ' PROMPT_COMMAND='echo prompt' LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 IFS=0
alias ip=false; ip() { false; }; export -f ip
printf '\n@facts links\n[]\n'
"""
    greeting = "*** Unauthorised access is prohibited *** 10.200.1.0/24 via 10.240.0.1 # \n"
    fresh.on("worker-0", "tee", "/home/ubuntu/.bashrc", "/home/ubuntu/.profile", "/root/.bashrc", stdin=noise)
    for host in ("worker-0", "worker-1"):
        fresh.on(host, "tee", "/etc/motd", "/etc/issue.net", stdin=greeting)
        fresh.shell(host, "echo Banner /etc/issue.net >>/etc/ssh/sshd_config; systemctl restart ssh.service")
    fresh.shell("worker-1", "sed -i '/^ubuntu:/s,/bin/bash,/bin/dash,' /etc/passwd")

    run = fresh.provision()

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    assert len(run.changes("worker-0")) == len(run.changes("worker-1")) == len(run.changes("worker-2"))
    assert fresh.provision().hosts_that_are("ok") == set(fresh.hosts)
    fresh.assert_pods_are_reached()


def with_netmiko(cluster: Cluster) -> Inventory:
    """The lab's inventory with the options of `inventory/groups.yaml`."""
    inventory = cluster.inventory()
    inventory.groups = YAML(typ="safe").load((ROOT / "inventory/groups.yaml").read_text())
    return inventory


def test_hosts_of_a_project_that_reaches_them_by_netmiko(fresh: Cluster) -> None:
    inventory = with_netmiko(fresh)
    inventory.groups["workers"]["data"] = {"connection": "netmiko"}

    run = fresh.provision(inventory=inventory)

    assert run.exit_code == 0, run.text
    assert run.hosts_that_are("changed") == set(fresh.hosts)
    fresh.assert_pods_are_reached()
    assert fresh.run("drift_check", inventory=inventory).exit_code == 0
    fresh.on("worker-0", "systemctl", "stop", "ssh.socket", "ssh.service", check=False)
    down = fresh.run("drift_check", "--limit", "worker-0", inventory=inventory)
    assert down.outcomes == {"worker-0": "unreachable"}
    down.reason("worker-0")


def test_the_guides_task_of_nornir_netmiko(provisioned: Cluster) -> None:
    guide = (ROOT / "docs/adding-a-task.md").read_text()
    (example,) = (one for one in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "netmiko_send_command" in one)
    config = provisioned.write(with_netmiko(provisioned))
    (config.parent / "example.py").write_text(example)
    done = subprocess.run(
        enter.operator_argv(provisioned.lab.paths, [sys.executable, "example.py"]),
        env=enter.operator_environment(provisioned.lab.paths),
        cwd=config.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stdout
    assert len(re.findall(r"^\d+: cnio0", done.stdout, re.MULTILINE)) == len(provisioned.workers)


def test_paths_are_relative_to_the_file_that_names_them(provisioned: Cluster) -> None:
    inventory = provisioned.inventory()
    inventory.config["ssh"] = {"config_file": "cluster.ssh"}
    inventory.defaults["connection_options"] = {"linux_exec": {"extras": {"key_file": "keys/id"}}}
    config = provisioned.write(inventory)
    missing = provisioned.run("drift_check", inventory=config)
    assert missing.exit_code == 64
    assert missing.stderr.count("\n") == 1
    assert f"ssh.config_file: there is no file {config.parent}/cluster.ssh" in missing.stderr
    operator = provisioned.lab.paths.operator / "ssh"
    (config.parent / "cluster.ssh").write_text(f"UserKnownHostsFile {operator}/known_hosts\n")
    missing = provisioned.run("drift_check", inventory=config)
    assert missing.exit_code == 64
    assert f"key_file: there is no file {config.parent}/keys/id" in missing.stderr
    (config.parent / "keys").mkdir()
    (config.parent / "keys/id").write_bytes((operator / "id_ed25519").read_bytes())
    (config.parent / "keys/id").chmod(0o600)
    run = provisioned.run("drift_check", inventory=config)
    assert run.exit_code == 0, run.text
