"""JSON Schemas of the inventory's files, for editors."""

from typing import Any

from pydantic import RootModel

from podroutes.inventory import CloudData, ClusterData, HostData
from podroutes.inventory_files import DefaultsElement, HostElement


class _HostSchema(HostElement):
    data: HostData | CloudData | None = None  # type: ignore[assignment]


class _DefaultsData(ClusterData, HostData):
    pass


class _DefaultsSchema(DefaultsElement):
    data: _DefaultsData | None = None  # type: ignore[assignment]


class _Elements(RootModel[dict[str, _HostSchema]]):
    pass


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the inventory's files, for editors, by the name of the file."""
    elements = _with_own_keys(_Elements.model_json_schema())
    defaults = _with_own_keys(_DefaultsSchema.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        "hosts": head | elements | {"title": "hosts.yaml"},
        "groups": head | elements | {"title": "groups.yaml"},
        "defaults": head | defaults | {"title": "defaults.yaml"},
    }


def _with_own_keys(schema: dict[str, Any]) -> dict[str, Any]:
    for definition in schema.get("$defs", {}).values():
        if definition.get("title") in ("HostData", "CloudData", "_DefaultsData"):
            definition["patternProperties"] = {"^x_": {}}
            if definition["title"] == "CloudData":
                # Some may stand on the group and the others on the host; preflight sees them together.
                del definition["required"]
    return schema
