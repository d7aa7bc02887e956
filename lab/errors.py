"""The one error of the lab."""

EX_USAGE = 64


class LabError(Exception):
    """Something about the lab is wrong; the message is one line that says what to do.

    Attributes:
        status: Exit status of the command line, 64 where the user has to act, 1 where the lab failed.
    """

    def __init__(self, message: str, *, status: int = EX_USAGE) -> None:
        super().__init__(message)
        self.status = status
