"""Mappings that share what they have in common."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from podroutes.host.shared import Shared, Sharing

# Few keys and values, so that most are in several mappings.
MAPPINGS = st.dictionaries(st.integers(0, 9), st.sampled_from(["a", "b"]))


@given(st.lists(MAPPINGS, max_size=6))
def test_each_stays_what_it_was_whatever_comes_after_it(mappings: list[dict[int, str]]) -> None:
    sharing: Sharing[int, str] = Sharing()
    shared = [sharing.share(mapping) for mapping in mappings]
    for one, mapping in zip(shared, mappings, strict=True):
        assert one == mapping
        assert len(one) == len(list(one)) == len(mapping)
        assert [one.get(key) for key in range(11)] == [mapping.get(key) for key in range(11)]


def test_only_what_differs_is_kept_of_one_that_is_nearly_as_another() -> None:
    sharing: Sharing[int, str] = Sharing()
    usual = {number: str(number) for number in range(100)}
    assert sharing.share(usual) is usual
    other: Mapping[int, str] = {**usual, 100: "x", 7: "y"}
    shared = sharing.share({key: value for key, value in other.items() if key != 3})
    assert isinstance(shared, Shared)
    assert shared.differences == 3
    assert (shared.get(3), shared[7], shared[100], shared[0]) == (None, "y", "x", "0")


def test_one_that_is_quite_different_is_what_the_next_ones_share() -> None:
    sharing: Sharing[int, str] = Sharing()
    sharing.share(dict.fromkeys(range(10), "a"))
    other = dict.fromkeys(range(10), "b")
    assert sharing.share(other) is other
    assert isinstance(sharing.share(dict(other)), Shared)
