import pytest

from lab.errors import LabError
from lab.fault import find_fault
from lab.faults import FAULTS


def test_names_are_unique_and_explained() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.explanation != "" for fault in FAULTS)


def test_usage_shows_the_arguments() -> None:
    assert find_fault(FAULTS, "wrong-next-hop", 2).usage == "wrong-next-hop [CIDR] [VIA]"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gremlins", 0, "there is no fault 'gremlins': drop-route, "),
        ("drop-route", 2, "too many arguments: drop-route"),
    ],
)
def test_what_there_is_not(name: str, arguments: int, message: str) -> None:
    with pytest.raises(LabError, match=message):
        find_fault(FAULTS, name, arguments)
