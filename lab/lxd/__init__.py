"""A private LXD in the lab, with the guide's containers in it; see `Lxd` in `lxd.py`."""
