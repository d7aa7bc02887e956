"""The programs that containers need."""

import shutil

from lab.defaults import SYSTEM_PATH
from lab.errors import LabError
from lab.lxd import image

_TOOLS = ("lxd", "lxc", "dnsmasq", "nft", "newuidmap")
_MAKES_IMAGE = "debootstrap"


def check_tools() -> None:
    """Check that they are installed.

    Raises:
        LabError: One is not; the message has the command that installs them.
    """
    needed = _TOOLS if image.is_made() else (*_TOOLS, _MAKES_IMAGE)
    missing = [tool for tool in needed if shutil.which(tool, path=SYSTEM_PATH) is None]
    if missing:
        raise LabError(f"{', '.join(missing)} not found: run scripts/setup.sh lxd")
