"""How every runbook ends: one line for an error, and the exit code that fits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from podroutes import errors
from podroutes.errors import InventoryError, Problem
from runbooks._cli import DEFAULT_CONFIG, Options, add_change_options, new_parser, parse_options, run_main


def end(body: Callable[[Options], int], *arguments: str) -> int:
    parser = new_parser("provision", "Does it.")
    add_change_options(parser)
    return run_main(body, parser, arguments)


def raising(error: BaseException) -> Callable[[Options], int]:
    def body(_: Options) -> int:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.UsageError("--limit x matches nothing"), 64, "provision.py: --limit x matches nothing\n"),
        (
            InventoryError(
                [Problem("hosts.yaml", "a", "hostname", "is missing"), Problem("hosts.yaml", "", "", "odd")]
            ),
            64,
            (
                "2 problems in the inventory; nothing was touched:\n"
                "  hosts.yaml: odd\n  hosts.yaml: a: hostname: is missing\n"
            ),
        ),
        (errors.LockHeldError("another run holds the lock"), 75, "another run holds the lock\n"),
        (errors.CloudError("the cloud said no"), 1, "provision.py: the cloud said no\n"),
        (errors.UnreachableError("no answer"), 1, "provision.py: no answer\n"),
        (ZeroDivisionError("x"), 1, "provision.py: internal error, ZeroDivisionError: x (-v shows where)\n"),
    ],
)
def test_an_error_is_said_and_has_its_exit_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(raising(error)) == code
    assert capsys.readouterr() == ("", said)


def test_an_interruption_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(raising(KeyboardInterrupt())) == 1
    assert capsys.readouterr().err.startswith("provision.py: interrupted")


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_an_error_that_nobody_foresaw_has_its_traceback_with_v(option: str) -> None:
    with pytest.raises(ZeroDivisionError):
        end(raising(ZeroDivisionError("x")), option)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_bodys_code_is_the_exit_code(code: int) -> None:
    assert end(lambda _: code) == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["--dry"], "unrecognized arguments: --dry"),
        (["--limit"], "argument --limit: expected one argument"),
        (["worker-0"], "unrecognized arguments: worker-0"),
        (["--json", "/nowhere/x.json"], "--json /nowhere/x.json: there is no folder /nowhere"),
    ],
)
def test_wrong_usage_is_64_and_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert end(lambda _: 0, *arguments) == 64
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_options(tmp_path: Path) -> None:
    parser = new_parser("provision", "Does it.")
    add_change_options(parser)
    assert parse_options(parser, []) == Options(config=DEFAULT_CONFIG, own=parser.parse_args([]))
    report = str(tmp_path / "report.json")
    arguments = [
        "--limit",
        "a",
        "--limit",
        "b*",
        "--dry-run",
        "--diff",
        "--yes",
        "--json",
        report,
        "-v",
        "--config",
        "c",
    ]
    options = parse_options(parser, arguments)
    assert (options.limit, options.dry_run, options.diff, options.yes) == (("a", "b*"), True, True, True)
    assert (options.reports, options.verbose, options.config) == ({"json": report}, True, Path("c"))


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        end(lambda _: 0, "--help")
    assert raised.value.code == 0
    text = capsys.readouterr().out
    for words in ("0 everything is up to date", "1 a host failed", "64 wrong usage", "75 another run holds the lock"):
        assert words in text
