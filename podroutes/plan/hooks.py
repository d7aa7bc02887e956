"""Hooks that NetworkManager and ifupdown run: `routes.service` sets the routes again when an address has come back.

The routes can't be the managers' own: NetworkManager's have another protocol, ifupdown has them in a file of the
administrator's (docs/decisions/0017-network-managers.md has what was measured).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from podroutes.host.changes import Change
from podroutes.host.managed_files import MARKER, UNIT_NAME, managed_file_of
from podroutes.host.network_managers import HOOK_PATHS, Manager
from podroutes.host.state import HostState
from podroutes.plan.managed_files import plan_file, plan_file_removal

_HEAD: Final = f"""#!/bin/sh
# {MARKER}; changes to this file are overwritten.
# An interface has been given its addresses anew, and the kernel had dropped the routes that used them.
"""
# Of NetworkManager-dispatcher(8), the events at which routes were seen to be gone, and IPv6's counterpart of one.
_EVENTS: Final = """case ${2-} in up | dhcp4-change | dhcp6-change | reapply) ;; *) exit 0 ;; esac
"""
_TAIL: Final = f"""# A unit that is not active stays so: at boot it starts later. Nothing waits here, or fails.
[ ! -d /run/systemd/system ] || systemctl --no-block try-reload-or-restart {UNIT_NAME} || :
"""
HOOKS: Final[Mapping[Manager, str]] = {"NetworkManager": _HEAD + _EVENTS + _TAIL, "ifupdown": _HEAD + _TAIL}


def plan_hooks(state: HostState, manager: Manager | None = None) -> Iterator[Change]:
    """Plan the hook of one manager, and the removal of ours of any other.

    Args:
        state: What was read.
        manager: The one that is to have a hook; None, or one without hooks, for none.
    """
    for other, path in HOOK_PATHS.items():
        if other == manager:
            yield from plan_file(state, path, HOOKS[other])
        elif path in state.files and state.files[path].ours:
            yield plan_file_removal(state, path, managed_file_of(path).edited)
