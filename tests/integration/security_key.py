"""An agent with a security key in software: what it signs is checked by sshd as a real one's is (PROTOCOL.u2f)."""

import hashlib
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_TYPE = b"sk-ssh-ed25519@openssh.com"
_APPLICATION = b"ssh:"
_LIST, _KEYS, _SIGN, _SIGNED, _FAILURE = 11, 12, 13, 14, 5
_TOUCHED = 1


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class SecurityKey:
    """A key that was touched, whoever asks."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.blob = _string(_TYPE) + _string(self._private.public_key().public_bytes_raw()) + _string(_APPLICATION)
        self.public = f"{_TYPE.decode()} {b64encode(self.blob).decode()}"

    def _sign(self, data: bytes) -> bytes:
        counted = struct.pack(">BI", _TOUCHED, 7)
        message = hashlib.sha256(_APPLICATION).digest() + counted + hashlib.sha256(data).digest()
        return _string(_TYPE) + _string(self._private.sign(message)) + counted

    def answer(self, request: bytes) -> bytes:
        """What an agent that holds the key answers."""
        if request[0] == _LIST:
            return struct.pack(">BI", _KEYS, 1) + _string(self.blob) + _string(b"a security key")
        if request[0] == _SIGN:
            (size,) = struct.unpack_from(">I", request, 1)
            (length,) = struct.unpack_from(">I", request, 5 + size)
            data = request[9 + size : 9 + size + length]
            return struct.pack(">B", _SIGNED) + _string(self._sign(data))
        return struct.pack(">B", _FAILURE)

    @contextmanager
    def agent(self, path: Path) -> Iterator[None]:
        """Such an agent, at a socket."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            thread = threading.Thread(target=self._serve, args=(server,))
            thread.start()
            try:
                yield
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client, client.makefile("rb") as requests:
                while head := requests.read(4):
                    answer = self.answer(requests.read(struct.unpack(">I", head)[0]))
                    client.sendall(_string(answer))
