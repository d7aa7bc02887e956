import socket
from contextlib import closing

import pytest

from podroutes.plugins.connections.ssh.transport import SshTransport


@pytest.mark.parametrize(("keepalive", "sleep"), [(0.0, 1.0), (0.3, 0.3), (1.0, 1.0), (30.0, 1.0)])
def test_an_idle_connection_sleeps_for_a_second_or_until_it_has_to_say_that_it_is_alive(
    keepalive: float, sleep: float
) -> None:
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(SshTransport(ours, {})) as transport:
        assert ours.gettimeout() == 0.1  # paramiko's own, as long as somebody logs in
        transport.be_patient(keepalive)
        assert ours.gettimeout() == sleep
