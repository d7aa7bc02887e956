import threading
from pathlib import Path

import pytest

from lab import lock


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "STATE", tmp_path / "labs")
    return tmp_path / "labs"


def test_one_at_a_time_though_the_file_is_removed_in_between(state: Path) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            with lock.locked("lab"):
                overlaps.extend(inside)
                inside.append(number)
                inside.remove(number)
                lock.remove_lock_file("lab")  # the last thing that its holder does

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
    assert not (state / "lab.lock").exists()


def test_says_that_it_waits(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entered = threading.Event()

    def work() -> None:
        with lock.locked("lab"):
            entered.set()

    with lock.locked("lab"):
        thread = threading.Thread(target=work)
        thread.start()
        assert not entered.wait(0.1)
    thread.join()
    assert entered.is_set()
    assert capsys.readouterr().out == "lab: waiting for another command of the lab lab\n"


def test_different_labs_do_not_wait(state: Path) -> None:
    with lock.locked("one"), lock.locked("two"):
        assert sorted(path.name for path in state.iterdir()) == ["one.lock", "two.lock"]
