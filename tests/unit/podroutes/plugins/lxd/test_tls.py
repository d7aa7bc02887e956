"""Over the network: the one certificate that is known, and the client's own."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from podroutes.errors import UnreachableError, UsageError
from podroutes.plugins.lxd.client import LxdClient
from podroutes.plugins.lxd.remotes import find_remote
from podroutes.plugins.lxd.settings import LxdSettings
from tests.unit.podroutes.plugins.lxd.daemon import Daemon, metadata, serving_tls


def write_certificate(folder: Path, name: str, password: bytes | None = None) -> None:
    """A self-signed certificate as LXD makes it, with a name that is not the address it is reached at."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"root@{name}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    encryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    write_certificate(tmp_path, "client")
    (tmp_path / "servercerts").mkdir()
    write_certificate(tmp_path / "servercerts", "far")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "servercerts" / "far.crt", tmp_path / "servercerts" / "far.key")
    context.load_verify_locations(tmp_path / "client.crt")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_REQUIRED
    daemon = Daemon({"GET /1.0/instances/worker-0": [metadata({"status": "Running"})]})
    with serving_tls(daemon, context) as port:
        remotes = f"remotes: {{far: {{addr: 'https://127.0.0.1:{port}', auth_type: tls, protocol: lxd}}}}\n"
        (tmp_path / "config.yml").write_text(remotes, encoding="utf-8")
        yield port


def client(folder: Path) -> LxdClient:
    return LxdClient(find_remote(LxdSettings(remote="far", config_folder=folder), {}), 10)


def test_both_sides_are_known_to_each_other(tmp_path: Path, port: int) -> None:
    del port
    here = client(tmp_path)
    assert here.status("worker-0") == "Running"
    here.close()


def test_another_certificate_is_refused_at_once(tmp_path: Path, port: int) -> None:
    write_certificate(tmp_path / "servercerts", "far")
    here = client(tmp_path)
    with pytest.raises(UnreachableError, match=rf"https://127.0.0.1:{port}.*not the one that is known"):
        here.status("worker-0")
    here.close()


def test_a_server_that_nobody_has_agreed_to_is_refused(tmp_path: Path, port: int) -> None:
    del port
    (tmp_path / "servercerts" / "far.crt").unlink()
    here = client(tmp_path)
    with pytest.raises(UnreachableError, match="not the one that is known"):
        here.status("worker-0")
    here.close()


def test_a_client_that_the_server_does_not_know_is_told_so_in_a_line(tmp_path: Path, port: int) -> None:
    del port
    write_certificate(tmp_path, "client")
    here = client(tmp_path)
    with pytest.raises(UnreachableError) as raised:
        here.status("worker-0")
    assert "\n" not in str(raised.value)
    here.close()


def test_a_key_with_a_password_is_no_question_on_the_terminal(tmp_path: Path, port: int) -> None:
    del port
    write_certificate(tmp_path, "client", password=b"secret")
    with pytest.raises(UsageError, match="can't be used: the key has a password"):
        client(tmp_path)


def test_a_certificate_that_is_none_is_named(tmp_path: Path, port: int) -> None:
    del port
    (tmp_path / "client.crt").write_text("nothing", encoding="utf-8")
    with pytest.raises(UsageError, match=r"client\.crt can't be used"):
        client(tmp_path)
