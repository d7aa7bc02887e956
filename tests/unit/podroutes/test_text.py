import pytest

from podroutes.text import closest, did_you_mean, first_line, last_line, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("", ""),
        ("two\nlines\r\n", "two lines"),
        ("a\x1b[31mred\x07 bell", "a [31mred bell"),
        (ValueError("an error"), "an error"),
        ("x" * 400, "x" * 300),
    ],
)
def test_anything_becomes_one_printable_line(text: object, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("\n one \n\ntwo\n \n", "one", "two"), ("one", "one", "one"), (" \n", "", ""), ("\x1b\none", "one", "one")],
)
def test_the_first_and_the_last_line_that_say_something(text: str, first: str, last: str) -> None:
    assert (first_line(text), last_line(text)) == (first, last)


def test_the_closest_word_is_named_and_else_all() -> None:
    known = ["port", "hostname"]
    assert did_you_mean("hostnme", known, "known keys") == "did you mean hostname?"
    assert did_you_mean("rack", known, "known keys") == "known keys: hostname, port"
    assert closest("hostnme", known, similarity=0.95) is None
