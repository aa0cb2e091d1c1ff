"""Certificates for tests, made on the spot."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey


def make_certificate(name: str, *others: x509.GeneralName, expired: bool = False) -> tuple[bytes, bytes]:
    """A self-signed certificate for a host name, valid for an hour or expired a minute ago, and its key; as PEM.

    :param others: what it names before the host.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    owner = _named(name)
    made = _for_host(_builder(owner, owner, key, expired=expired), name, *others).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), _pem(key)


class Authority:
    """Signs certificates.

    :param above: the authority that signed this one's; None for a root.
    """

    def __init__(self, name: str, above: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        by, by_key = (above._name, above._key) if above else (self._name, self._key)
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        made = (
            _builder(self._name, by, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(self._identifier, critical=False)
            .add_extension(_issued_by(by_key), critical=False)
            .add_extension(_usage(signs=True), critical=True)
            .sign(by_key, hashes.SHA256())
        )
        self.pem = made.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, *, expired: bool = False) -> tuple[bytes, bytes]:
        """A certificate for a host name, an address or a client, and its key; as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _for_host(_builder(_named(name), self._name, key, expired=expired), name)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_issued_by(self._key), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM), _pem(key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _builder(owner: x509.Name, by: x509.Name, key: Key, *, expired: bool = False) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(owner)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now - timedelta(minutes=1) if expired else now + timedelta(hours=1))
    )


def _for_host(builder: x509.CertificateBuilder, name: str, *others: x509.GeneralName) -> x509.CertificateBuilder:
    try:
        host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        host = x509.DNSName(name)
    return builder.add_extension(x509.SubjectAlternativeName([*others, host]), critical=False)


def _issued_by(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
