import pytest

from podroutes.secret import Secret


def test_it_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"


def test_the_same_text_is_the_same_secret() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_only_a_text_is_a_secret() -> None:
    assert Secret.parse("a") == Secret("a")
    with pytest.raises(ValueError, match=r"^must be text; put it in quotes$"):
        Secret.parse(["hunter2"])
