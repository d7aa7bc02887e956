"""A failure that is the network's, and may not be met again."""

from podroutes.errors import UnreachableError


class MayPassError(UnreachableError):
    """A failure that another attempt may not meet."""
