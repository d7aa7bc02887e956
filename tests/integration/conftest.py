"""One lab for all tests of the runbooks, and the states in which a test finds it.

A test may do to the hosts whatever it likes: before the next one starts, every host that is not what that test asks
for is brought back, so no test depends on another.
"""

from collections.abc import Iterator

import pytest

from tests.integration.cloud_lab import CloudLab
from tests.integration.cluster import Cluster, assert_own_pod_cidrs_are_local, new_lab


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three controllers and three workers with a pod each, in whatever state they are."""
    with new_lab() as lab:
        yield Cluster(lab, tmp_path_factory.mktemp("operator"))


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


@pytest.fixture(scope="session")
def cloud_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudLab]:
    """One controller and three workers, both families, and a real Keystone and Neutron, in whatever state they are."""
    with new_lab("-cloud", controllers=1, workers=3, ipv6=True) as lab:
        yield CloudLab(lab, tmp_path_factory.mktemp("cloud"))


@pytest.fixture
def cloudy(cloud_lab: CloudLab) -> CloudLab:
    """The guide's network without routes, pairs, faults or counts."""
    cloud_lab.ensure()
    cloud_lab.reset()
    return cloud_lab
