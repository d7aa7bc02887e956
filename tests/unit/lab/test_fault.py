import pytest

from lab.errors import LabError
from lab.fault import find_fault, other_address, parse_address, parse_network
from lab.faults import FAULTS
from lab.layout import Layout


def test_usage_shows_the_arguments() -> None:
    assert find_fault(FAULTS, "wrong-next-hop", 2).usage == "wrong-next-hop [CIDR] [VIA]"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gremlins", 0, "there is no fault 'gremlins': drop-route, "),
        ("drop-route", 2, "too many arguments: drop-route"),
    ],
)
def test_unknown_faults_and_arguments_are_refused(name: str, arguments: int, message: str) -> None:
    with pytest.raises(LabError, match=message):
        find_fault(FAULTS, name, arguments)


@pytest.mark.parametrize(
    ("unlike", "found"),
    [
        (["10.240.0.20"], "10.240.0.21"),
        (["10.240.0.21", "10.240.0.20"], "10.240.0.10"),
        (["10.240.0.21", "10.240.0.20", "10.240.0.10"], "10.240.0.1"),
        # There is no other.
        (["10.240.0.1", "10.240.0.21", "10.240.0.20", "10.240.0.10"], "10.240.0.1"),
        (["fd00:240::21"], "fd00:240::20"),
    ],
)
def test_another_address_is_that_of_the_last_host_which_may_have_it(unlike: list[str], found: str) -> None:
    layout = Layout(controllers=1, workers=2, ipv6=True)
    assert other_address(layout.hosts, layout, unlike) == found


def test_arguments_that_are_no_addresses_are_one_line() -> None:
    with pytest.raises(LabError, match=r"^'10.0.0.1/8' is no network: [^\n]*$"):
        parse_network("10.0.0.1/8")
    with pytest.raises(LabError, match=r"^'here' is no address: [^\n]*$"):
        parse_address("here")
    assert parse_address("FD00::1") == "fd00::1"
