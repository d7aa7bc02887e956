"""JSON Schemas of the inventory's files, for editors."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import NODEFAULT, Struct, defstruct
from msgspec.json import schema, schema_components
from msgspec.structs import fields

from podroutes.inventory.connection_options import CONNECTION_OPTIONS, ConnectionElement
from podroutes.inventory.files import DefaultsElement, HostElement
from podroutes.inventory.key_types import Addresses, Networks, ResourceName, SubnetNames
from podroutes.inventory.model import CloudData, ClusterData, HostData


def _one_or_two(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": 2}]}


_VALUES: Final[Mapping[type, dict[str, Any]]] = {
    Addresses: _one_or_two({"type": "string", "examples": ["10.240.0.20"]}),
    Networks: _one_or_two({"type": "string", "examples": ["10.200.0.0/16"]}),
    SubnetNames: _one_or_two(schema(ResourceName)),
}


def _combined(name: str, *kinds: type[Struct], optional: bool = False) -> type[Struct]:
    """A struct with the fields of several, since none can be derived from all; the first to have a key describes it."""
    found = {field.name: field for kind in reversed(kinds) for field in fields(kind)}
    default = None if optional else NODEFAULT
    return defstruct(
        name,
        [(key, field.type, default if field.required else field.default) for key, field in found.items()],
        kw_only=True,
    )


# Which keys are a cloud's and which a machine's, and which are written on a group, only preflight knows.
_HostData: Final = _combined("HostData", HostData, CloudData, optional=True)
_DefaultsData: Final = _combined("DefaultsData", ClusterData, HostData)


def schemas(extras: Mapping[str, type[Struct]]) -> dict[str, dict[str, Any]]:
    """JSON Schemas of the inventory's files, for editors, by the name of the file.

    Args:
        extras: What may stand below `extras` of connection options, by the plugin's name.
    """
    elements: dict[str, Any] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/HostElement"}}
    elements["$defs"] = _definitions(HostElement, _HostData, extras)
    defaults: dict[str, Any] = {"$ref": "#/$defs/DefaultsElement"}
    defaults["$defs"] = _definitions(DefaultsElement, _DefaultsData, extras)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        "hosts": head | elements | {"title": "hosts.yaml"},
        "groups": head | elements | {"title": "groups.yaml"},
        "defaults": head | defaults | {"title": "defaults.yaml"},
    }


def _definitions(element: type[Struct], data: type[Struct], extras: Mapping[str, type[Struct]]) -> dict[str, Any]:
    """The schemas of an element, of what stands below its `data`, and of connection options."""
    options = [
        defstruct(
            f"{kind.__name__}Element",
            [("extras", kind | None, None)],
            bases=(ConnectionElement,),
            forbid_unknown_fields=True,
        )
        for kind in extras.values()
    ]
    references, definitions = schema_components([element, data, ConnectionElement, *options], schema_hook=_schema_of)
    for definition in definitions.values():
        if "description" in definition:  # a docstring, of which Python 3.13 indents further lines otherwise
            definition["description"] = definition["description"].partition("\n")[0]
    _, data_reference, general, *special = ({"anyOf": [reference, {"type": "null"}]} for reference in references)
    properties = definitions[element.__name__]["properties"]
    for choice in properties[CONNECTION_OPTIONS]["anyOf"]:
        if choice["type"] == "object":
            choice["additionalProperties"] = general
            choice["properties"] = dict(zip(extras, special, strict=True))
    properties["data"] = {**data_reference, "default": None}
    return definitions


def _schema_of(kind: type) -> dict[str, Any]:
    """The schema of a type that msgspec does not know; what is parsed from text is text."""
    return _VALUES.get(kind, {"type": "string"})
