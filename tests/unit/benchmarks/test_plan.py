import pytest

from benchmarks.plan import CONTROLLERS, Mode, cells
from benchmarks.suite import CONTENDERS
from lab.layout import Layout


@pytest.mark.parametrize("mode", list(Mode))
def test_sizes_only_grow_since_a_lab_does_not_shrink(mode: Mode) -> None:
    sizes = [cell.hosts for cell in cells(mode)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("mode", list(Mode))
def test_names_are_contenders_and_labs_have_room(mode: Mode) -> None:
    for cell in cells(mode):
        assert set(cell.contenders) <= set(CONTENDERS)
        layout = Layout(CONTROLLERS, cell.hosts - CONTROLLERS, "10.240.0.0/22")
        assert len(layout.hosts) == cell.hosts


@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_is_measured_twice(mode: Mode) -> None:
    keys = [(cell.hosts, cell.trip_ms) for cell in cells(mode)]
    assert len(keys) == len(set(keys))
