"""Changes as text: `-` what is there, `+` what will be."""

from collections.abc import Iterable
from difflib import unified_diff

from podroutes.host.changes import Change, is_file
from podroutes.outcomes import ChangeRecord


def diff_of(changes: Iterable[Change | ChangeRecord]) -> str:
    """A diff of several changes.

    Returns:
        Lines: a heading for each change, then its lines with `-` and `+`; of files only what differs, with context.
    """
    lines: list[str] = []
    for change in changes:
        lines.append(f"{change.layer}: {change.action} {change.subject} ({change.reason})")
        lines += [f"  {line}" for line in _body(change)]
    return "\n".join(lines)


def _body(change: Change | ChangeRecord) -> list[str]:
    before, after = change.before.splitlines(), change.after.splitlines()
    if is_file(change.subject):
        return list(unified_diff(before, after, lineterm="", n=2))[2:]
    return [f"- {line}" for line in before] + [f"+ {line}" for line in after]
