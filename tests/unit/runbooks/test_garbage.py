import gc
from collections.abc import Iterator

import pytest

from runbooks import _garbage as garbage


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_none_is_looked_for_until_a_run_resumes_it() -> None:
    with garbage.postponed():
        assert not gc.isenabled()
        garbage.resume()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_it_is_on_again_however_a_run_ends() -> None:
    with pytest.raises(ValueError, match="broken"), garbage.postponed():
        raise ValueError("broken")
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with garbage.postponed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
