"""One lab for all tests of the runbooks, and the states in which a test finds it.

A test may do to the hosts whatever it likes: before the next one starts, every host that is not what that test asks
for is brought back, so no test depends on another.
"""

import os
from collections.abc import Iterator

import pytest

from lab import Lab
from tests.integration.cluster import Cluster, assert_own_pod_cidrs_are_local, remove_dead_labs

PREFIX = "podroutes-test"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three controllers and three workers with a pod each, in whatever state they are."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    remove_dead_labs(PREFIX)
    lab = Lab(f"{PREFIX}{os.getpid()}")
    try:
        lab.up()
        yield Cluster(lab, tmp_path_factory.mktemp("operator"))
    finally:
        lab.down()


@pytest.fixture
def fresh(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster as it is before anything was provisioned."""
    cluster.make_fresh()
    yield cluster
    assert_own_pod_cidrs_are_local(cluster)


@pytest.fixture
def provisioned(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster after one run of provision.py."""
    cluster.make_provisioned()
    yield cluster
    assert_own_pod_cidrs_are_local(cluster)
