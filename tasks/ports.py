"""Allowed address pairs: what lets pod traffic out of, and into, a worker's port."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from openstack.connection import Connection

from podroutes.host.cloud import AddressPair, CloudState
from podroutes.inventory.network_plan import Cloud
from podroutes.plan.cloud import CloudPlan
from tasks.cloud import call
from tasks.reconcile import Part, reconcile


def ensure_address_pairs(
    connection: Connection,
    cloud: Cloud,
    plan_now: Callable[[], tuple[CloudState, CloudPlan]],
    found: tuple[CloudState, CloudPlan],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[CloudState, CloudPlan]:
    """Write the lists of pairs that differ, until a later read shows what is wanted.

    Arguments, result and errors are those of `tasks.subnet.ensure_host_routes`.
    """
    part = Part(
        write=lambda planned: write_address_pairs(connection, cloud, planned.pairs),
        differs=lambda planned: bool(planned.pairs),
        content=lambda state: _content(state, CloudPlan()),
        after=_content,
    )
    return reconcile(part, plan_now, found, sleep=sleep)


def _content(state: CloudState, planned: CloudPlan) -> Mapping[str, frozenset[str]]:
    """The pairs of each port, after a plan was carried out; Neutron fills in MAC addresses."""
    return {
        port.id: frozenset(pair.ip_address for pair in planned.pairs.get(port.id, port.allowed_address_pairs))
        for port in state.ports
    }


def write_address_pairs(connection: Connection, cloud: Cloud, pairs: Mapping[str, tuple[AddressPair, ...]]) -> None:
    """Give ports whole lists of pairs.

    Args:
        connection: To the cloud.
        cloud: What the inventory says of it.
        pairs: The lists, foreign pairs included, by the port's id.

    Raises:
        HostError: The cloud can't be reached.
        CloudError: It refuses.
    """
    for port_id, wanted in pairs.items():
        body = [pair.as_json() for pair in wanted]
        write = partial(connection.network.update_port, port_id, allowed_address_pairs=body)
        call(cloud, "change a port's allowed address pairs", write)
