"""Counting the round trips of a connection by what each chunk of data can have waited for."""

from dataclasses import dataclass


@dataclass
class Trips:
    """The longest chain of waiting in one connection.

    Every chunk has a level. The client's first data has level 1, and so has what the server says by itself, both sent
    once the TCP handshake is over. What the client sends has one more than the highest that has reached it; what the
    server sends has the highest that has reached it. So a level is a round trip: client to server, and back.

    A side is taken to have waited for all that had reached it. Data that answers nothing (an SSH window adjustment) is
    therefore counted as an answer, and the number is never too small. What the client sends last and nobody answers
    before the client closes, a goodbye, is not waited for and not counted.

    Attributes:
        at_client: Highest level that has reached the client.
        at_server: Highest level that has reached the server.
        to_server: Bytes that the client has sent.
        to_client: Bytes that have reached the client.
        is_open: Whether neither side has closed it.
    """

    at_client: int = 0
    at_server: int = 1
    to_server: int = 0
    to_client: int = 0
    is_open: bool = True

    def client_sends(self, size: int) -> int:
        """The client sends data of so many bytes; returns its level."""
        self.to_server += size
        return self.at_client + 1

    def server_gets(self, level: int) -> None:
        """Data of a level reaches the server."""
        self.at_server = max(self.at_server, level)

    def server_sends(self) -> int:
        """The server sends data; returns its level."""
        return self.at_server

    def client_gets(self, level: int, size: int) -> None:
        """Data of a level, of so many bytes, reaches the client."""
        self.to_client += size
        self.at_client = max(self.at_client, level)

    @property
    def round_trips(self) -> int:
        """The TCP handshake, and every level that has reached the client."""
        return 1 + self.at_client
