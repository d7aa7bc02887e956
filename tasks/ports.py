"""Allowed address pairs: what lets pod traffic out of, and into, a worker's port."""

from collections.abc import Mapping

from openstack.connection import Connection

from podroutes.cloud import AddressPair
from podroutes.network_plan import Cloud
from tasks.cloud import call


def write_address_pairs(connection: Connection, cloud: Cloud, pairs: Mapping[str, tuple[AddressPair, ...]]) -> None:
    """Give ports whole lists of pairs.

    Args:
        connection: To the cloud.
        cloud: What the inventory says of it.
        pairs: The lists, foreign pairs included, by the port's id.

    Raises:
        HostError: The cloud can't be reached or refuses.
    """
    for port_id, wanted in pairs.items():
        body = [pair.model_dump(exclude_none=True) for pair in wanted]
        call(
            cloud,
            "change a port's allowed address pairs",
            lambda port_id=port_id, body=body: connection.network.update_port(port_id, allowed_address_pairs=body),  # type: ignore[misc]
        )
