import os
from pathlib import Path

from lab.cloud.paths import CloudPaths
from lab.cloud.services import edge_argv, memory, web_application
from lab.paths import LabPaths


def test_services_listen_behind_the_edge() -> None:
    assert web_application("neutron", 9696, Path("/env"), 24)[2:] == ("neutron", "127.0.0.1", "9697", "24")
    assert edge_argv(CloudPaths(LabPaths("lab")))[-2:] == ("identity=5000=5001", "network=9696=9697")


def test_memory_of_a_process() -> None:
    assert memory(os.getpid()) > 2**20
    assert memory(2**22 + 1) == 0
