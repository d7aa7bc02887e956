"""The JSON report, and its schema."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from podroutes.outcomes import RunReport
from podroutes.report.write import Past


def render(report: RunReport, _: Past) -> str:
    """A run's report as JSON."""
    return render_json(report)


def render_json(content: Struct) -> str:
    """Any records as the text of a JSON file."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of a run's report."""
    generated = msgspec.json.schema(RunReport)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def render_schema(content: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
