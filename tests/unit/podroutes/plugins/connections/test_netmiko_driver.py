import netmiko
import pytest
from netmiko.linux.linux_ssh import LinuxSSH

from podroutes.errors import UsageError
from podroutes.plugins.connections.netmiko_driver import LinuxExecSSH, register


def test_netmiko_finds_its_driver_and_no_other_changes() -> None:
    before = dict(netmiko.ssh_dispatcher.__globals__["CLASS_MAPPER"])
    register()
    register()
    assert netmiko.ssh_dispatcher("linux_exec") is LinuxExecSSH
    assert issubclass(LinuxExecSSH, LinuxSSH)
    assert netmiko.platforms.count("linux_exec") == 1
    assert {**before, "linux_exec": LinuxExecSSH} == netmiko.ssh_dispatcher.__globals__["CLASS_MAPPER"]


def test_a_setting_that_it_does_not_know_is_named() -> None:
    register()
    with pytest.raises(UsageError, match="global_delay_factor: unknown"):
        netmiko.ConnectHandler(device_type="linux_exec", host="127.0.0.1", port=1, global_delay_factor=2)
