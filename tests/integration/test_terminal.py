"""A person at a terminal is shown what would change, and asked."""

from tests.integration.cluster import Cluster
from tests.integration.terminal import Terminal

QUESTION = "Apply 63 changes to 6 hosts? [y/N] "


def test_no_changes_nothing_and_yes_applies(fresh: Cluster) -> None:
    before = fresh.take_snapshots()
    with Terminal(fresh.lab, fresh.command("provision")) as terminal:
        terminal.read_until(QUESTION)
        assert "+ 10.200.1.0/24 via 10.240.0.21 dev eth0" in terminal.text
        assert "6 would change" in terminal.text
        terminal.answer("n")
        assert terminal.finish() == 0
        assert "Nothing was changed." in terminal.text
    fresh.assert_unchanged(before)

    with Terminal(fresh.lab, fresh.command("provision")) as terminal:
        terminal.read_until(QUESTION)
        terminal.answer("y")
        assert terminal.finish() == 0
        assert "6 hosts: 6 changed, 63 changes" in terminal.text
        # Progress is drawn over itself while it goes on, in colours.
        assert "0/6" in terminal.text
        assert "6/6" in terminal.text
        assert "\x1b[" in terminal.raw
    fresh.assert_pods_are_reached()

    # With nothing to change, there is nothing to ask.
    with Terminal(fresh.lab, fresh.command("provision"), NO_COLOR="1") as terminal:
        assert terminal.finish() == 0
        assert "6 hosts: 6 ok, 0 changes" in terminal.text
        assert "[y/N]" not in terminal.text
        assert "\x1b[32m" not in terminal.raw


def test_a_host_that_changes_while_the_question_is_read_is_left_alone(fresh: Cluster) -> None:
    with Terminal(fresh.lab, fresh.command("provision", "--limit", "worker-0", "--limit", "worker-1")) as terminal:
        terminal.read_until("Apply 20 changes to 2 hosts? [y/N] ")
        fresh.shell("worker-0", "ip route add 10.200.1.0/24 via 10.240.0.22")
        terminal.answer("y")
        assert terminal.finish() == 1
        assert "it has changed since the changes were shown: nothing was done" in terminal.text
        assert "2 hosts: 1 changed, 1 failed" in terminal.text
    assert fresh.our_routes("worker-0") == []
    assert fresh.our_routes("worker-1") == fresh.desired_routes("worker-1")


def test_without_a_terminal_it_never_asks(fresh: Cluster) -> None:
    run = fresh.run("provision", "--limit", "worker-0")
    assert run.exit_code == 0
    assert run.outcomes == {"worker-0": "changed"}
    assert "[y/N]" not in run.text
