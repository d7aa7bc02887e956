import pytest

from lab.arguments import parse
from lab.cli import main


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cloud", "requests", "--reset", "--json"], {"reset": True, "json": True, "name": "podroutes"}),
        (["--name", "x", "cloud", "requests"], {"reset": False, "json": False, "name": "x"}),
        (["cloud", "down", "--name", "x"], {"name": "x"}),
        (["up", "--cloud", "--workers", "5"], {"cloud": True, "workers": 5}),
        (["up"], {"cloud": False}),
    ],
)
def test_what_is_understood(words: list[str], expected: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PODROUTES_LAB", raising=False)
    options = vars(parse(words))
    assert {key: options[key] for key in expected} == expected


@pytest.mark.parametrize("words", [["cloud", "status"], ["cloud", "down"], ["repair", "cloud"], ["cloud", "requests"]])
def test_without_a_cloud_there_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--name", "no-such-lab", *words])
    said = capsys.readouterr()
    assert (said.out + said.err).count("\n") == 1
    assert "no cloud" in said.out + said.err
    assert status == {"status": 1, "down": 0}.get(words[1], 64)


def test_the_faults_of_the_cloud_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["break", "--list"]) == 0
    assert "host-route-foreign [CIDR] [VIA]" in capsys.readouterr().out
