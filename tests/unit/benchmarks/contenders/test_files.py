"""What contenders are given says the same to each of them."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.contenders import Work, ansible, floor, product
from benchmarks.contenders.pyinfra import PYINFRA
from benchmarks.sites import Site
from benchmarks.suite import CONTENDERS
from lab import Lab
from lab.layout import Layout
from runbooks._session import open_session

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIDkxp2jn40SrsvN6g/H8EdfCEes3SYF+7iGv2bxCitVx"


class FakeKeySite(Site):
    """A site whose hosts were never made, so they have no keys."""

    def host_key(self, host: object) -> tuple[str, str]:
        return "ssh-ed25519", KEY


@pytest.fixture(params=[0.0, 0.1], ids=["near", "far"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return FakeKeySite(Lab("no-such-lab"), Layout(1, 3), request.param, tmp_path)


def test_the_products_inventory_is_valid_and_computes_the_same_next_hops(site: Site) -> None:
    session = open_session(product.write_files(site), (), dry_run=True)
    controller = session.plan.nodes["controller-0"]
    assert [str(route.next_hop) for route in session.plan.routes_for(controller)] == [
        "10.240.0.20",
        "10.240.0.21",
        "10.240.0.22",
    ]
    reached = session.nornir.inventory.hosts["worker-0"].hostname
    assert reached == ("10.240.0.20" if site.trip == 0 else "127.240.0.20")


def test_ansibles_inventory(site: Site) -> None:
    content = YAML(typ="safe").load(ansible.render_inventory(site))["all"]
    assert list(content["hosts"]) == ["controller-0", "worker-0", "worker-1", "worker-2"]
    assert content["hosts"]["worker-1"] == {"ansible_host": site.address(site.hosts[2])}
    assert content["vars"]["pod_routes"][2] == {"worker": "worker-2", "cidr": "10.200.2.0/24", "via": "10.240.0.22"}


def test_ansibles_playbook_keeps_its_own_braces() -> None:
    (play,) = YAML(typ="safe").load(ansible._PLAYBOOK)
    assert play["tasks"][-1]["ansible.builtin.systemd_service"]["daemon_reload"] == "{{ unit is changed }}"


def test_the_floors_script_sets_every_route_now_and_at_boot() -> None:
    script = floor.change_script({"10.200.1.0/24": "10.240.0.21"})
    assert "ip route replace 10.200.1.0/24 via 10.240.0.21 dev eth0" in script
    assert "systemctl daemon-reload\nsystemctl enable" in script


def test_addresses_of_proxies_are_all_different_and_local() -> None:
    site = FakeKeySite(Lab("no-such-lab"), Layout(3, 397, "10.240.0.0/22"), 0.1, Path("/"))
    addresses = {site.address(host) for host in site.hosts}
    assert len(addresses) == 400
    assert all(address.startswith("127.240.") for address in addresses)


def test_each_contender_provisions_and_looks(site: Site) -> None:
    for contender in CONTENDERS.values():
        assert next(iter(contender.works)) == Work.FIRST
        assert len(contender.works) > 1
        for make in contender.works.values():
            assert all(isinstance(word, str) for word in make(site).argv)


def test_pyinfra_is_told_to_verify_host_keys(site: Site) -> None:
    PYINFRA.works[Work.FIRST](site)
    assert '"ssh_strict_host_key_checking": "yes"' in (site.folder / "pyinfra/cluster.json").read_text()
