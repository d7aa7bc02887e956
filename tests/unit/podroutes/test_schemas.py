import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ruamel.yaml import YAML

from podroutes.outcomes import RunReport
from podroutes.schemas import FOLDER, main, render_schemas

ROOT = Path(__file__).resolve().parents[3]
INVENTORIES = [ROOT / "inventory", *sorted(path.parent for path in ROOT.glob("examples/*/hosts.yaml"))]


def schema(name: str) -> Any:  # noqa: ANN401  # JSON
    return json.loads(render_schemas()[f"{name}.schema.json"])


def errors(name: str, content: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def test_the_files_are_what_the_code_generates() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == dict(render_schemas()), (
        "renew them with: python -m podroutes.schemas"
    )


def test_they_are_written_where_one_says(tmp_path: Path) -> None:
    assert main(tmp_path / "a" / "b") == 0
    assert {path.name: path.read_text() for path in (tmp_path / "a" / "b").iterdir()} == dict(render_schemas())


@pytest.mark.parametrize("name", ["hosts", "groups", "defaults", "report"])
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("folder", INVENTORIES, ids=lambda folder: str(folder.relative_to(ROOT)))
@pytest.mark.parametrize("name", ["hosts", "groups", "defaults"])
def test_our_own_inventories_are_valid(folder: Path, name: str) -> None:
    file = folder / f"{name}.yaml"
    if file.exists():
        assert errors(name, YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("name", "content", "valid"),
    [
        ("hosts", {}, True),
        ("hosts", {"a": {}}, True),
        (
            "hosts",
            {"a": {"groups": ["workers"], "data": {"pod_index": 0, "x_rack": [1, {}], "interface": "eth0"}}},
            True,
        ),
        ("hosts", {"a": {"data": {"internal_ips": ["10.0.0.1", "fd00::1"], "pod_cidrs": "10.200.0.0/24"}}}, True),
        ("hosts", {"a": {"data": None, "connection_options": {"linux_exec": {"extras": {"conn_timeout": 3}}}}}, True),
        ("hosts", {"a": {"connection_options": {"linux_exec": {"extras": {"conn_timout": 3}}}}}, False),
        ("groups", {"g": {"connection_options": {"linux_exec": {"extras": {"ask_sudo_password": 1}}}}}, False),
        ("defaults", {"connection_options": {"linux_exec": {"extras": {"ssh_config_file": "cluster.ssh"}}}}, True),
        ("defaults", {"connection_options": {"netmiko": {"extras": {"anything": 3}}}}, True),
        ("hosts", {"api": {"groups": ["openstack"], "data": {"cloud": "c", "network": "n", "subnet": "s"}}}, True),
        ("hosts", {"api": {"data": {"subnet": ["s", "six"], "route_target": "router", "x_": 1}}}, True),
        ("hosts", {"api": {"data": {"subnet": ["a", "b", "c"]}}}, False),
        ("hosts", {"api": {"data": {"subnet": "s", "route_target": "port"}}}, False),
        ("hosts", {"a": {"data": {"site": "b", "vlan": 7, "interfaces": [{"name": "eth0"}], "pod_index": 0}}}, True),
        ("hosts", {"a": {"data": {"site": "b", "pod_index": "0"}}}, False),
        ("groups", {"ios": {"platform": "ios", "connection_options": {"netmiko": {"extras": {"secret": "x"}}}}}, True),
        ("groups", {"ios": {"connection_options": {"netmiko": {"secret": "x"}}}}, False),
        ("groups", {"ios": {"connection_options": {"linux_exec": {"extras": {"conn_timout": 3}}, "lxd": None}}}, False),
        ("hosts", {"a": {"connection_options": {"lxd": {"hostname": "a", "extras": {"server": "incus"}}}}}, True),
        ("defaults", {"connection_options": {"linux_exec": {"extras": {"conn_timeout": 0}}}}, False),
        ("hosts", {"a": {"data": {"pod_index": -1}}}, False),
        ("hosts", {"a": {"data": {"pod_index": "0"}}}, False),
        ("hosts", {"a": {"data": {"manage_routes": "no"}}}, False),
        ("hosts", {"a": {"pod_index": 0}}, False),
        ("hosts", {"a": {"groups": "workers"}}, False),
        ("hosts", {"a": {"port": 0}}, False),
        ("groups", {"workers": {"data": {"first_internal_ips": "10.240.0.20"}}}, True),
        ("groups", {"openstack": {"data": {"network": "n"}}}, True),
        ("groups", {"workers": {"usernam": "ubuntu"}}, False),
        ("defaults", {"data": {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/24", "x_": 1}}, True),
        ("defaults", {"data": {"cluster_cidr": "a", "node_network": "b", "interface": "eth1"}}, True),
        ("defaults", {"data": {"cluster_cidr": "10.200.0.0/16"}}, False),
        ("defaults", {"data": {"cluster_cidr": "a", "node_network": "b", "site": {"name": "c"}}}, True),
        ("defaults", {"data": {"cluster_cidr": "a", "node_network": "b", "node_cidr_mask_size_ipv4": 33}}, False),
        ("defaults", {"groups": []}, False),
    ],
)
def test_what_an_editor_would_underline(name: str, content: object, valid: bool) -> None:
    assert (errors(name, content) == []) == valid


def a_report() -> dict[str, Any]:
    change = {"layer": "routes", "action": "add", "subject": "s", "before": "", "after": "a", "reason": "missing"}
    host = {"host": "a", "outcome": "changed", "changes": [change], "notes": ["n"], "commands": 2, "seconds": 0.5}
    report = msgspec.convert(
        type=RunReport,
        obj={"runbook": "provision", "dry_run": True, "started": datetime.now(UTC), "seconds": 1, "hosts": [host]},
    )
    content: dict[str, Any] = json.loads(msgspec.json.encode(report))
    return content


def test_a_report_is_valid() -> None:
    assert errors("report", a_report()) == []


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("report", "schema_version", 2),
        ("report", "hosts", None),
        ("report", "seconds", -1),
        ("report", "more", 1),
        ("report", "started", 3),
        ("host", "outcome", "fine"),
        ("host", "commands", -1),
        ("host", "changes", [{}]),
        ("host", "reason", None),
    ],
)
def test_what_is_no_report(place: str, key: str, value: object) -> None:
    report = a_report()
    (report if place == "report" else report["hosts"][0])[key] = value
    assert errors("report", report) != []
