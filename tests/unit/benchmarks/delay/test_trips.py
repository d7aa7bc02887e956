import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.delay.trips import Trips

# c: the client sends, and all that it sends arrives before anything else happens; s: the server likewise.
CONVERSATIONS = [
    ("", 1, "only the TCP handshake"),
    ("s", 2, "the server's greeting comes a round trip after the handshake"),
    ("c", 1, "nobody has answered"),
    ("cs", 2, "a question and its answer"),
    ("sc", 2, "what the client says last is not waited for"),
    ("scs", 3, "the greeting, and one question"),
    ("ssccss", 3, "chunks in a row are one trip"),
    ("scscs", 4, "each answer is another one"),
]


def converse(letters: str) -> Trips:
    trips = Trips()
    for letter in letters:
        if letter == "c":
            trips.server_gets(trips.client_sends(3))
        else:
            trips.client_gets(trips.server_sends(), 5)
    return trips


@pytest.mark.parametrize(("letters", "expected", "why"), CONVERSATIONS)
def test_counts_what_was_waited_for(letters: str, expected: int, why: str) -> None:
    assert converse(letters).round_trips == expected, why


def test_data_that_crosses_on_its_way_is_one_trip() -> None:
    trips = Trips()
    question = trips.client_sends(1)
    greeting = trips.server_sends()  # both are under way
    trips.server_gets(question)
    trips.client_gets(greeting, 1)
    assert trips.round_trips == 2
    # What the server says to the question left at the same trip as the greeting.
    trips.client_gets(trips.server_sends(), 1)
    assert trips.round_trips == 2


def test_a_late_old_chunk_does_not_count_backwards() -> None:
    trips = Trips()
    old = trips.client_sends(1)
    trips.client_gets(trips.server_sends(), 1)
    trips.server_gets(trips.client_sends(1))
    trips.server_gets(old)
    assert trips.server_sends() == 2


@given(st.text("cs"))
def test_every_trip_needs_an_answer(letters: str) -> None:
    trips = converse(letters)
    answers = sum(a != b and b == "s" for a, b in zip("c" + letters, letters, strict=False))
    assert trips.round_trips <= 1 + max(answers, letters.count("s") and 1)
    assert (trips.to_server, trips.to_client) == (3 * letters.count("c"), 5 * letters.count("s"))
