"""Hosts that can't be read, in whole or in part: an error that names what failed, and never a host without anything."""

from tests.integration.cluster import Cluster

# A program's stand-in in front of it, which fails.
BROKEN = (
    "printf '#!/bin/sh\\necho %s: Input/output error >&2; exit 1\\n' {0} >/usr/local/bin/{0};"
    "chmod 755 /usr/local/bin/{0}"
)
AWAY = "mv /usr/bin/{0} /root/{0}"
BUSYBOX = (
    "printf '#!/bin/sh\necho \"flock: unrecognized option: version\" >&2; exit 1\n' >/usr/local/bin/flock;"
    "chmod 755 /usr/local/bin/flock"
)
HOSTS = {
    "controller-0": (AWAY.format("flock"), "mv /root/flock /usr/bin/", "needs flock (package util-linux)"),
    "controller-1": (
        BUSYBOX,
        "rm /usr/local/bin/flock",
        "needs flock of util-linux 2.23 or newer for --conflict-exit-code: this host has flock: unrecognized option",
    ),
    "controller-2": (
        # What the package has at /bin and /sbin leads there, too.
        "for ip in /usr/bin/ip /usr/sbin/ip; do [ ! -e $ip ] || mv $ip /root/$(echo $ip | tr / _); done",
        "for ip in /usr/bin/ip /usr/sbin/ip; do mv /root/$(echo $ip | tr / _) $ip || true; done",
        "needs ip (package iproute2)",
    ),
    "worker-0": (
        BROKEN.format("stat"),
        "rm /usr/local/bin/stat",
        "reading the host failed in its part files: exit status 1: stat: Input/output error",
    ),
    "worker-1": (
        BROKEN.format("sha256sum"),
        "rm /usr/local/bin/sha256sum",
        "reading the host failed in its part contents: exit status 1: sha256sum: Input/output error",
    ),
    "worker-2": (
        "mkfifo /etc/sysctl.d/99-pipe.conf; ln -s /nowhere /etc/sysctl.d/99-link.conf; mkdir /etc/sysctl.d/99-dir.conf",
        "rm -r /etc/sysctl.d/99-*",
        "",
    ),
}


def test_what_fails_is_named_and_nothing_is_touched(provisioned: Cluster) -> None:
    provisioned.everywhere(lambda host: provisioned.shell(host, HOSTS[host][0]))
    before = provisioned.take_snapshots(own_layer=True)

    removal = provisioned.deprovision(*(word for host in HOSTS if HOSTS[host][2] for word in ("--limit", host)))
    runs = [provisioned.run("drift_check"), provisioned.provision(), removal]

    for run in runs:
        assert run.exit_code == 1
        for host in run.hosts:
            _, _, message = HOSTS[host]
            assert run.outcomes[host] == ("failed" if message else "ok")
            assert not message or message in run.reason(host)
    provisioned.assert_unchanged(before)
    provisioned.everywhere(lambda host: provisioned.shell(host, HOSTS[host][1]))
    assert provisioned.run("drift_check").exit_code == 0
