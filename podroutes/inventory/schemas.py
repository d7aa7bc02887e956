"""JSON Schemas of the inventory's files, for editors."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, defstruct
from msgspec.json import schema, schema_components
from msgspec.structs import fields

from podroutes.inventory.connection_options import CONNECTION_OPTIONS, ConnectionElement
from podroutes.inventory.files import DefaultsElement, HostElement
from podroutes.inventory.key_types import Addresses, Networks, ResourceName, SubnetNames
from podroutes.inventory.model import OWN_KEY_PREFIX, CloudData, ClusterData, HostData
from podroutes.plugins.connections.ssh.settings import SshExtras
from podroutes.secret import Secret


def _one_or_two(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": 2}]}


_VALUES: Final[Mapping[type, dict[str, Any]]] = {
    Addresses: _one_or_two({"type": "string", "examples": ["10.240.0.20"]}),
    Networks: _one_or_two({"type": "string", "examples": ["10.200.0.0/16"]}),
    SubnetNames: _one_or_two(schema(ResourceName)),
    Secret: {"type": "string"},
}
# Our own connection plugins whose options an editor is to know.
_EXTRAS: Final[Mapping[str, type[Struct]]] = {"linux_exec": SshExtras}


def _both(one: type[Struct], other: type[Struct]) -> type[Struct]:
    """A struct with the fields of two, since none can be derived from both."""
    all_fields = [(field.name, field.type, field.default) for kind in (one, other) for field in fields(kind)]
    return defstruct("DefaultsData", all_fields, kw_only=True, forbid_unknown_fields=True)


_DefaultsData: Final = _both(ClusterData, HostData)


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the inventory's files, for editors, by the name of the file."""
    elements: dict[str, Any] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/HostElement"}}
    elements["$defs"] = _definitions({HostElement: (HostData, CloudData)})
    defaults: dict[str, Any] = {"$ref": "#/$defs/DefaultsElement"}
    defaults["$defs"] = _definitions({DefaultsElement: (_DefaultsData,)})
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        "hosts": head | elements | {"title": "hosts.yaml"},
        "groups": head | elements | {"title": "groups.yaml"},
        "defaults": head | defaults | {"title": "defaults.yaml"},
    }


def _definitions(elements: Mapping[type[Struct], tuple[type[Struct], ...]]) -> dict[str, Any]:
    """The schemas of elements and of what stands below their `data`."""
    kinds = [
        ConnectionElement,
        *_EXTRAS.values(),
        *(kind for element, kinds in elements.items() for kind in (element, *kinds)),
    ]
    references, definitions = schema_components(kinds, schema_hook=_VALUES.__getitem__)
    by_kind = dict(zip(kinds, references, strict=True))
    for kind in _EXTRAS.values():
        extras = {"anyOf": [by_kind[kind], {"type": "null"}], "default": None}
        general = definitions[ConnectionElement.__name__]
        definitions[f"{kind.__name__}Element"] = general | {"properties": general["properties"] | {"extras": extras}}
    for element, kinds_below in elements.items():
        below = [by_kind[kind] for kind in kinds_below]
        properties = definitions[element.__name__]["properties"]
        options = {"anyOf": [by_kind[ConnectionElement], {"type": "null"}]}
        for choice in properties[CONNECTION_OPTIONS]["anyOf"]:
            if choice["type"] == "object":
                choice["additionalProperties"] = options
                choice["properties"] = {
                    name: {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}Element"}, {"type": "null"}]}
                    for name, kind in _EXTRAS.items()
                }
        properties["data"] = {"anyOf": [*below, {"type": "null"}], "default": None}
        for kind in kinds_below:
            definitions[kind.__name__]["patternProperties"] = {f"^{OWN_KEY_PREFIX}": {}}
    # Some of a cloud's keys may stand on its group and the others on the host; preflight sees them together.
    definitions.get(CloudData.__name__, {}).pop("required", None)
    return definitions
