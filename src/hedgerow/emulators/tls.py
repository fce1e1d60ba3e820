"""A certificate authority of one's own, so that unmodified clients reach an emulator under real host names."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.pem", "emulator.pem", "emulator-key.pem"
LIFE = timedelta(days=365)


def server_context(folder: Path, hosts: Sequence[str]) -> ssl.SSLContext:
    """Return what a server of these hosts needs; makes authority and certificate where they are missing or old.

    The authority's key is thrown away: whoever trusts `ca.pem` trusts this one certificate and never another.

    Args:
        folder: gets `ca.pem`, for clients, and the server's certificate and key; owner-only.
        hosts: host names, `*.` allowed in front. Loopback is always in.

    Raises:
        OSError: the folder cannot be used.
    """
    certificate, key = folder / CERTIFICATE_FILE, folder / KEY_FILE
    if not _is_good(folder, hosts):
        _make(folder, hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _is_good(folder: Path, hosts: Sequence[str]) -> bool:
    from cryptography import x509

    files = [folder / name for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE)]
    if not all(file.is_file() for file in files):
        return False
    try:
        found = x509.load_pem_x509_certificate(files[1].read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    is_fresh = found.not_valid_after_utc > datetime.now(UTC) + timedelta(days=1)
    return is_fresh and set(hosts) <= set(names.get_values_for_type(x509.DNSName))


def _make(folder: Path, hosts: Sequence[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("hedgerow emulator: an authority for this machine only")
    authority = (
        _certificate(issuer, issuer, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(ca_key, _sha256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in (*hosts, "localhost")]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    leaf = (
        _certificate(_name("hedgerow emulator"), issuer, leaf_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, _sha256())
    )
    key_pem = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / KEY_FILE).touch(0o600)
    (folder / KEY_FILE).write_bytes(key_pem)
    (folder / CERTIFICATE_FILE).write_bytes(leaf.public_bytes(Encoding.PEM))
    (folder / CA_FILE).write_bytes(authority.public_bytes(Encoding.PEM))


def _certificate(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clients whose clock is a little behind take it as well.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _sha256() -> SHA256:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()
