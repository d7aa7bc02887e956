"""What a code of a finding means: a page for the terminal, and one in Markdown, both from the table of drift classes.

`python -m podroutes.drift.explain docs/drift` writes the Markdown pages.
"""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from podroutes import exit_codes
from podroutes.drift.classes import COVERAGE_CODES, DRIFT_CLASSES, PROVISION, DriftClass, DriftLayer
from podroutes.errors import UsageError
from podroutes.text import did_you_mean

_WIDTH: Final = 80
_LAYERS: Final[Mapping[DriftLayer, str]] = {
    "kernel": "what the kernel does now",
    "persisted": "what is kept on the host for its next boot",
    "cloud": "what the cloud's API has",
    "host": "the host as a whole",
}


def explain(code: str) -> str:
    """The page of a code, for a terminal: lines of at most 80 characters.

    Raises:
        UsageError: There is no such code.
    """
    drift_class = DRIFT_CLASSES.get(code)
    if drift_class is None:
        raise UsageError(f"there is no code {code!r}; {did_you_mean(code, DRIFT_CLASSES, 'there are')}")
    lines = [*textwrap.wrap(f"{code}: {drift_class.title}", _WIDTH), ""]
    for name, text in (
        ("layer", _layer(drift_class)),
        ("severity", _severity(drift_class)),
        ("breaks", drift_class.breaks),
        ("fix", drift_class.fix),
        ("detail", drift_class.detail),
    ):
        indent = " " * 10
        lines += textwrap.wrap(f"{name:<10}{text}", _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines)


def _layer(drift_class: DriftClass) -> str:
    return f"{drift_class.layer}: {_LAYERS[drift_class.layer]}"


def _severity(drift_class: DriftClass) -> str:
    if drift_class.code in COVERAGE_CODES:
        return "unknown: the check ends with 1"
    return "drift: the check ends with 2" if drift_class.severity == "drift" else "notice: reported; the host is ok"


def render_pages() -> Mapping[str, str]:
    """All Markdown pages by file name, the index among them."""
    return {f"{code}.md": _page(one) for code, one in DRIFT_CLASSES.items()} | {"README.md": _index()}


def _page(drift_class: DriftClass) -> str:
    title, fix = drift_class.title, drift_class.fix
    # The name of a unit begins as it does.
    sentence = title if "." in title.partition(" ")[0] else f"{title[0].upper()}{title[1:]}"
    return f"""# {drift_class.code}

{sentence}.

| layer | severity |
|---|---|
| {_layer(drift_class)} | {_severity(drift_class)} |

## What it breaks

{drift_class.breaks}

## What fixes it

{f"    {fix}" if fix == PROVISION else fix}

## How it comes about

{drift_class.detail}
"""


def _index() -> str:
    parts = [
        "# What a drift check can find",
        (
            "Each kind has a stable code, which reports carry.\n"
            "`python runbooks/drift_check.py --explain CODE` prints a page on a terminal."
        ),
    ]
    for layer, meaning in _LAYERS.items():
        lines = [f"## {layer}: {meaning}", "", "| code | what it is |", "|---|---|"]
        for one in DRIFT_CLASSES.values():
            if one.layer == layer:
                notice = " (notice)" if one.severity == "notice" else ""
                lines.append(f"| [{one.code}]({one.code}.md){notice} | {one.title} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the Markdown pages into a folder, and remove pages of codes that are no more.

    Returns:
        The exit code.
    """
    if len(arguments) != 1:
        print("usage: python -m podroutes.drift.explain FOLDER", file=sys.stderr)
        return exit_codes.USAGE
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    pages = render_pages()
    for page in folder.glob("*.md"):
        if page.name not in pages:
            page.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return exit_codes.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
