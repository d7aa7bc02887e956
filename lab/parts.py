"""The parts that a lab can have: the one place where each is registered."""

from typing import NamedTuple

from lab.cloud.part import CloudPart
from lab.hosts import HostsPart
from lab.lxd.part import LxdPart
from lab.part import Part


class Parts(NamedTuple):
    """All parts of a lab, in the order in which they are shown."""

    hosts: HostsPart
    cloud: CloudPart
    lxd: LxdPart

    @property
    def every(self) -> tuple[Part, ...]:
        """All of them, whether the lab has them or not."""
        return (self.hosts, self.cloud, self.lxd)

    @property
    def only_containers(self) -> bool:
        """Whether the lab has containers and no hosts."""
        return self.lxd.exists and not self.hosts.exists

    def owner(self, name: str) -> Part:
        """The part to which a name belongs; if it is no part's, the one that can list the names there are.

        Args:
            name: Of a host, of a container, `cloud` or `lxd`.
        """
        for part in self.every:
            if part.owns(name):
                return part
        return self.lxd if self.only_containers else self.hosts

    def shares(self, names: list[str] | None) -> list[tuple[Part, list[str] | None]]:
        """Divide names between the parts to which they belong.

        Args:
            names: As for `owner`; None for everything that the lab has.

        Returns:
            Each part that is concerned with its names; None for all of them.
        """
        if names is None:
            return [(part, None) for part in self.every if part.exists]
        owners = [(self.owner(name), name) for name in names]
        found = [(part, [name for owner, name in owners if owner is part]) for part in self.every]
        return [(part, own) for part, own in found if own != []]


def parts_of(name: str) -> Parts:
    """The parts of a lab.

    Args:
        name: The lab's.
    """
    return Parts(HostsPart(name), CloudPart(name), LxdPart(name))
