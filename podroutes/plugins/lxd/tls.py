"""TLS with the very certificates that a client of LXD or Incus has exchanged."""

import ssl
from pathlib import Path

from msgspec import Struct

from podroutes.errors import UsageError
from podroutes.text import one_line


class Certificates(Struct, frozen=True):
    """Files for TLS.

    Attributes:
        certificate: The client's own.
        key: Its key.
        server: The one certificate that the server must show; None where public authorities vouch for it.
        authority: The private authority that vouches for servers (`client.ca`), where there is one.
    """

    certificate: Path
    key: Path
    server: Path | None = None
    authority: Path | None = None


def tls_context(files: Certificates) -> ssl.SSLContext:
    """What verifies the server and shows the client's certificate.

    Raises:
        UsageError: A certificate can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if files.server is not None:
            # This very certificate and no other, whatever names it has: that is what the client's user agreed to.
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cafile=str(files.server))
        if files.authority is not None:
            context.load_verify_locations(cafile=str(files.authority))
        if files.server is None and files.authority is None:
            context.load_default_certs()
        context.load_cert_chain(str(files.certificate), str(files.key), password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise UsageError(f"the certificates beside {files.certificate} can't be used: {one_line(error)}") from error
    return context


def _no_password() -> str:
    message = "the key has a password"
    raise ValueError(message)
