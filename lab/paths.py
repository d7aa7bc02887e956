"""Paths and names of a lab. All of them derive from the lab's name."""

import json
from pathlib import Path
from typing import NamedTuple

STATE = Path("/run/podroutes-lab")
NETNS = Path("/run/netns")


class LabPaths(NamedTuple):
    """Names and paths of one lab.

    Attributes:
        name: The lab's name; it has no dot, so the names of two labs never meet.
    """

    name: str

    @property
    def root(self) -> Path:
        """The lab's own tmpfs; all its files are here."""
        return STATE / self.name

    @property
    def layout(self) -> Path:
        """The lab's size, as JSON."""
        return self.root / "lab.json"

    def template(self, release: str | None) -> Path:
        """The file system layer that hosts of a release share, above its root.

        Args:
            release: As in `Host`.
        """
        return self.root / "templates" / (release or "own")

    def base(self, release: str | None) -> Path:
        """The root file system below the template, never written to; of a release, a link to where it is cached.

        Args:
            release: As in `Host`.
        """
        return Path("/") if release is None else self.root / "bases" / release

    @property
    def operator(self) -> Path:
        """Files that the operator's commands see: `ssh/` and `etc/`."""
        return self.root / "operator"

    @property
    def operator_etc(self) -> Path:
        """The files of /etc that the operator's commands see in place of the computer's own: `hosts` alone."""
        return self.operator / "etc"

    @property
    def operator_netns(self) -> str:
        """Name of the operator's network namespace."""
        return f"{self.name}.operator"

    @property
    def cgroup(self) -> str:
        """Name of the control group that holds a group for each host."""
        return f"podroutes-lab.{self.name}"

    @property
    def environment(self) -> Path:
        """Folder of JSON files, one for each part of the lab that changes the operator's environment variables."""
        return self.operator / "environment"

    @property
    def programs(self) -> Path:
        """Commands that the operator has because of other parts of the lab."""
        return self.operator / "bin"

    @property
    def containers(self) -> Path:
        """Names of the lab's containers, as JSON; it is there once their LXD has its networks."""
        return self.root / "lxd" / "lxd.json"

    def container_names(self) -> list[str]:
        """Names of the lab's containers; empty if it has no LXD."""
        try:
            names: list[str] = json.loads(self.containers.read_text())
        except FileNotFoundError:
            return []
        return names

    def host(self, host: str) -> "HostPaths":
        """Names and paths of one host.

        Args:
            host: The host's name.
        """
        return HostPaths(self, host)


class HostPaths(NamedTuple):
    """Names and paths of one host of a lab."""

    lab: LabPaths
    host: str

    @property
    def dir(self) -> Path:
        """All of the host's files."""
        return self.lab.root / "hosts" / self.host

    @property
    def upper(self) -> Path:
        """Files that the host has written: the top layer of its root file system."""
        return self.dir / "upper"

    @property
    def work(self) -> Path:
        """Overlayfs' working folder."""
        return self.dir / "work"

    @property
    def mountpoint(self) -> Path:
        """Mount point of the root file system, in the host's own mount namespace alone."""
        return self.dir / "root"

    @property
    def identity(self) -> Path:
        """SSH host keys and machine id: they stay the same when a host starts afresh."""
        return self.dir / "identity"

    @property
    def console(self) -> Path:
        """The host's output while it boots."""
        return self.dir / "console.log"

    @property
    def pid(self) -> Path:
        """Process ids: of the supervisor, and of the host's PID 1 as this computer sees it."""
        return self.dir / "pid"

    @property
    def netns(self) -> str:
        """Name of the host's network namespace."""
        return f"{self.lab.name}.{self.host}"

    @property
    def pod_netns(self) -> str:
        """Name of the network namespace of the worker's pod."""
        return f"{self.lab.name}.{self.host}.pod"

    @property
    def machine(self) -> str:
        """Name that is unique on the computer, for systemd-nspawn's locks."""
        return f"{self.lab.name}.{self.host}"

    @property
    def cgroup(self) -> str:
        """The host's control group, below the mount point of the unified hierarchy."""
        return f"{self.lab.cgroup}/{self.host}"
