from lab.faults import FAULTS


def test_names_are_unique_and_explained() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.explanation != "" for fault in FAULTS)
