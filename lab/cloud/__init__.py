"""A real Keystone and Neutron beside the lab's hosts, with the guide's network in them; see `Cloud` in `cloud.py`."""
