import pytest

from podroutes.host.changes import Action, Change
from podroutes.outcomes import ChangeRecord
from podroutes.report.diff import diff_of


def change(action: Action, subject: str, before: str, after: str) -> Change:
    return Change("routes", action, subject, before, after, "reason", ())


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ([], []),
        (
            [change("add", "10.200.1.0/24", "", "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201")],
            [
                "routes: add 10.200.1.0/24 (reason)",
                "  + 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
            ],
        ),
        (
            [change("set", "net.ipv4.ip_forward", "0", "1"), change("remove", "10.200.9.0/24", "old", "")],
            [
                "routes: set net.ipv4.ip_forward (reason)",
                "  - 0",
                "  + 1",
                "routes: remove 10.200.9.0/24 (reason)",
                "  - old",
            ],
        ),
        # of files, what differs and two lines around it
        (
            [change("write", "/etc/x", "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\nfour\n5\n6\n7\n")],
            [
                "routes: write /etc/x (reason)",
                "  @@ -2,5 +2,5 @@",
                "   2",
                "   3",
                "  -4",
                "  +four",
                "   5",
                "   6",
            ],
        ),
        (
            [change("write", "/etc/x", "", "a\nb\n")],
            ["routes: write /etc/x (reason)", "  @@ -0,0 +1,2 @@", "  +a", "  +b"],
        ),
        ([change("remove", "/etc/x", "a\n", "")], ["routes: remove /etc/x (reason)", "  @@ -1 +0,0 @@", "  -a"]),
        # mode or owner alone
        ([change("write", "/etc/x", "a\n", "a\n")], ["routes: write /etc/x (reason)"]),
    ],
)
def test_a_diff(changes: list[Change], lines: list[str]) -> None:
    assert diff_of(changes).splitlines() == lines
    assert diff_of(ChangeRecord.of(item) for item in changes).splitlines() == lines
