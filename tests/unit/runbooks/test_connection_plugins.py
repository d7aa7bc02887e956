import subprocess
import sys

from podroutes.plugins.connections.openstack import OpenStackExtras
from podroutes.plugins.connections.ssh.settings import SshExtras
from podroutes.plugins.lxd.settings import LxdSettings
from runbooks._connection_plugins import InstalledPlugins


def test_our_own_plugins_and_nornir_netmikos_are_there() -> None:
    assert {"linux_exec", "lxd", "openstack", "netmiko"} <= set(InstalledPlugins().names())


def test_the_extras_of_our_own_are_typed() -> None:
    kinds = {name: InstalledPlugins().extras(name) for name in ("linux_exec", "lxd", "openstack", "netmiko")}
    assert kinds == {"linux_exec": SshExtras, "lxd": LxdSettings, "openstack": OpenStackExtras, "netmiko": None}


def test_what_no_inventory_names_is_not_imported() -> None:
    program = "import sys; from runbooks._connection_plugins import InstalledPlugins as I; I().names(); I().extras('x')"
    program += (
        "; print([name for name in ('asyncssh', 'paramiko', 'openstack', 'httpx', 'nornir') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
