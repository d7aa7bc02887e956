"""What a code of a finding means: a page for the terminal, and one in Markdown, both from the table of drift classes.

`python -m podroutes.drift.explain docs/drift` writes the Markdown pages.
"""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from podroutes import exit_codes
from podroutes.drift.classes import COVERAGE_CODES, DRIFT_CLASSES, PROVISION, DriftClass, DriftLayer, Severity
from podroutes.errors import UsageError
from podroutes.text import did_you_mean

_WIDTH: Final = 80
_INDEX: Final = "README.md"
_LAYERS: Final[Mapping[DriftLayer, str]] = {
    "kernel": "what the kernel does now",
    "persisted": "what is kept on the host for its next boot",
    "cloud": "what the cloud's API has",
    "host": "the host as a whole",
}
_SEVERITIES: Final[Mapping[Severity, str]] = {
    "drift": "the check ends with 2",
    "notice": "it is told, and the host is ok",
}


def explain(code: str) -> str:
    """The page of a code, for a terminal.

    Args:
        code: Of a drift class.

    Returns:
        Lines of at most 80 characters, without a newline at the end.

    Raises:
        UsageError: There is no such code.
    """
    drift_class = DRIFT_CLASSES.get(code)
    if drift_class is None:
        raise UsageError(f"there is no code {code!r}; {did_you_mean(code, DRIFT_CLASSES, 'there are')}")
    rows = [
        ("layer", _layer(drift_class)),
        ("severity", _severity(drift_class)),
        ("breaks", drift_class.breaks),
        ("fix", drift_class.fix),
        ("detail", drift_class.detail),
    ]
    return "\n".join(
        [
            *textwrap.wrap(f"{code}: {drift_class.title}", _WIDTH),
            "",
            *(line for name, text in rows for line in _wrapped(name, text)),
        ]
    )


def _wrapped(name: str, text: str) -> list[str]:
    head = f"{name:<10}"
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _layer(drift_class: DriftClass) -> str:
    return f"{drift_class.layer}: {_LAYERS[drift_class.layer]}"


def _severity(drift_class: DriftClass) -> str:
    if drift_class.code in COVERAGE_CODES:
        return "unknown: the check ends with 1"
    return f"{drift_class.severity}: {_SEVERITIES[drift_class.severity]}"


def render_pages() -> Mapping[str, str]:
    """All Markdown pages by file name, the index among them."""
    return {f"{code}.md": _page(one) for code, one in DRIFT_CLASSES.items()} | {_INDEX: _index()}


def _page(drift_class: DriftClass) -> str:
    fix = drift_class.fix
    typed = f"    {fix}" if fix == PROVISION else fix
    return "\n\n".join(
        (
            f"# {drift_class.code}",
            _sentence(drift_class.title),
            "| layer | severity |\n|---|---|\n" + f"| {_layer(drift_class)} | {_severity(drift_class)} |",
            f"## What it breaks\n\n{drift_class.breaks}",
            f"## What fixes it\n\n{typed}",
            f"## How it comes about\n\n{drift_class.detail}\n",
        )
    )


def _index() -> str:
    parts = [
        "# What a drift check can find",
        (
            "Each kind has a stable code, which reports carry.\n"
            "`python runbooks/drift_check.py --explain CODE` prints a page on a terminal."
        ),
    ]
    for layer, meaning in _LAYERS.items():
        rows = [
            f"| [{one.code}]({one.code}.md){' (notice)' if one.severity == 'notice' else ''} | {_cell(one.title)} |"
            for one in DRIFT_CLASSES.values()
            if one.layer == layer
        ]
        parts.append("\n".join([f"## {layer}: {meaning}", "", "| code | what it is |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    # The name of a unit begins as it does.
    return f"{text}." if "." in text.partition(" ")[0] else f"{text[0].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the Markdown pages into a folder, and remove pages of codes that are no more.

    Args:
        arguments: The folder; None for the process's own arguments.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        print("usage: python -m podroutes.drift.explain FOLDER", file=sys.stderr)
        return exit_codes.USAGE
    folder = Path(given[0])
    folder.mkdir(parents=True, exist_ok=True)
    pages = render_pages()
    for page in folder.glob("*.md"):
        if page.name not in pages:
            page.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return exit_codes.OK


if __name__ == "__main__":
    sys.exit(main())
