"""A private certificate authority for the broker, and the certificate it shows to the boxes.

A box checks the chain and the name it was told to connect to; it has no list of revoked certificates. Curve P-256, since
the box's TLS library (mbedTLS on an ESP32) does it in hardware time and knows no Ed25519.
"""

import ipaddress
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_FOR: Final = timedelta(days=20 * 365)
"""Replacing the authority means a visit to every car."""
SERVER_FOR: Final = timedelta(days=825)
"""Renewed without a visit: the boxes trust the authority."""
SKEW: Final = timedelta(days=1)
"""A box whose clock is behind must not find the certificate too young."""
HOST: Final = re.compile(
    r"(?=.{1,64}$)([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?)(\.[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?)*"
)
CA_CERTIFICATE, CA_KEY = "ca.pem", "ca.key"
SERVER_CERTIFICATE, SERVER_KEY = "server.pem", "server.key"


def write_certificates(directory: Path, hosts: list[str], now: datetime) -> list[Path]:
    """Make what is not there yet: an authority, then a server certificate for these names. Returns the files written.

    An authority that is there is used again. Raises FileExistsError for a server certificate that is there,
    FileNotFoundError for an authority without its key, ValueError for a name that no certificate can carry.
    """
    names = [_name(host) for host in hosts]
    if not names:
        raise ValueError("a server certificate needs a host")
    for file in (directory / SERVER_CERTIFICATE, directory / SERVER_KEY):
        if file.exists():
            raise FileExistsError(f"{file} is there; move it away to make a new one")
    directory.mkdir(parents=True, exist_ok=True)
    authority, key, written = _authority(directory, now)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _server(authority, key, server_key, hosts[0], names, now)
    written.append(_write(directory / SERVER_KEY, _pem_of(server_key), 0o600))
    chain = server.public_bytes(serialization.Encoding.PEM)
    written.append(_write(directory / SERVER_CERTIFICATE, chain, 0o644))
    return written


def _authority(
    directory: Path, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, list[Path]]:
    certificate_file, key_file = directory / CA_CERTIFICATE, directory / CA_KEY
    if certificate_file.exists() or key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if (
            not isinstance(loaded, ec.EllipticCurvePrivateKey)
            or loaded.public_key() != certificate.public_key()
        ):
            raise ValueError(f"{key_file} is not the key of {certificate_file}")
        return certificate, loaded, []
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Glovebox boxes")])
    certificate = (
        _begun(name, name, key.public_key(), now, CA_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    written = [
        _write(key_file, _pem_of(key), 0o600),
        _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644),
    ]
    return certificate, key, written


def _server(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    host: str,
    names: list[x509.GeneralName],
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    lasts = min(SERVER_FOR, authority.not_valid_after_utc - now)
    return (
        _begun(subject, authority.subject, key.public_key(), now, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lasts)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not HOST.fullmatch(host):
        raise ValueError(f"{host!r} is neither a host name nor an address")
    return x509.DNSName(host)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, content: bytes, mode: int) -> Path:
    """A new file, never over another, and never readable for others in between."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
    return file
