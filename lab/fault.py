"""A fault, in whichever part of a lab it can be made, and what the tables of faults share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from lab.errors import LabError
from lab.layout import Host, Layout


@dataclass(frozen=True)
class Fault:
    """One thing that can be made to go wrong.

    Attributes:
        name: Its name on the command line.
        arguments: Names of the arguments that it can be given, none of which is required.
        explanation: One line.
        make: Makes it; takes that part of the lab, the host if it is a host's, and the arguments. Returns one line that
            says what was done.
    """

    name: str
    arguments: tuple[str, ...]
    explanation: str
    make: Callable[..., str]

    @property
    def usage(self) -> str:
        """The name and its arguments."""
        return " ".join([self.name, *(f"[{argument}]" for argument in self.arguments)])


def find_fault(faults: Sequence[Fault], name: str, arguments: int) -> Fault:
    """Find a fault by its name.

    Args:
        faults: Those to look among.
        name: The name.
        arguments: Number of its arguments.

    Raises:
        LabError: There is none of that name, or it takes fewer arguments.
    """
    for fault in faults:
        if fault.name == name:
            if arguments > len(fault.arguments):
                raise LabError(f"too many arguments: {fault.usage}")
            return fault
    raise LabError(f"there is no fault {name!r}: {', '.join(fault.name for fault in faults)}")


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """A network that was given as an argument.

    Args:
        text: The argument.

    Raises:
        LabError: It is no network.
    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise LabError(f"{text!r} is no network: {error}") from error


def parse_address(text: str) -> str:
    """An address that was given as an argument, in its usual form.

    Args:
        text: The argument.

    Raises:
        LabError: It is no address.
    """
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise LabError(f"{text!r} is no address: {error}") from error


def other_address(hosts: Sequence[Host], layout: Layout, unlike: Iterable[str]) -> str:
    """The address of a host, or of the operator where there is no such host.

    Args:
        hosts: The hosts.
        layout: The lab's size.
        unlike: Addresses that it must not be; the first one decides about the IP version.
    """
    taken = list(unlike)
    version = ip_address(taken[0]).version
    addresses = [address for host in reversed(hosts) for address in host.addresses] + layout.gateway
    found = [str(address.ip) for address in addresses if address.version == version]
    return next((address for address in found if address not in taken), found[-1])
