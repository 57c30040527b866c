# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's long-lived key: it signs sessions, and it is the key of the link's certificate.

The certificate is signed by its own key and is the same bytes whenever it is made. The peer pins it
whole, so it names nobody, and it does not run out.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ppmf_secure.primitives.base_transfers import fresh_secret, write_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.private_files import own_file
from ppmf_secure.transport.store import write_durably
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.files import read_bytes

MOST_BYTES = 1 << 16
"""The longest file of a key, passphrase or certificate that is read."""

_FROM = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FOR_EVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
"""The date of RFC 5280 for a certificate that has no known end."""


def make_signing_key(coins: Coins) -> ec.EllipticCurvePrivateKey:
    """A fresh key of P-256 (PPMF-SRV-001)."""
    return fresh_secret(coins)


def write_signing_key(
    path: Path, key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None
) -> None:
    """Write a key as PKCS 8 in PEM, for its owner alone (mode 0600).

    passphrase: under which it is encrypted, if any. Raises StateError if there is a file already.
    """
    if path.exists() or path.is_symlink():
        raise StateError(f"{path}: there is a file already; a key is never replaced")
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    write_private_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))


def read_signing_key(path: Path, passphrase: Path | None = None) -> ec.EllipticCurvePrivateKey:
    """The key of a file, for which `write_signing_key` says the form.

    passphrase: the file of the passphrase, if there is one; a line end after it does not count.
    Raises EncodingError for what is no such file, and StateError for a file that others can read,
    or a passphrase that is not its own (PPMF-SRV-002).
    """
    content = read_private_file(path)
    secret = read_passphrase(passphrase)
    try:
        key = load_pem_private_key(content, secret)
    except TypeError:  # a passphrase where none is due, or the other way round
        wants = "it is not encrypted" if secret is not None else "it is encrypted"
        raise StateError(f"{path}: {wants}: see `passphrase` in the configuration") from None
    except ValueError:
        what = "not a private key in PEM"
        if secret is not None:
            what += ", or not with this passphrase"
        raise EncodingError(f"{path}: {what}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EncodingError(f"{path}: not a key of P-256")
    return key


def read_passphrase(path: Path | None) -> bytes | None:
    """The passphrase in a file, without a line end after it; raises as `read_private_file`."""
    return None if path is None else read_private_file(path).rstrip(b"\r\n")


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The point of a key, 33 bytes, by which others know a server."""
    return write_point(key.public_key())


def fingerprint(point: bytes) -> bytes:
    """SHA-256 of a server's point: 32 bytes that stand for it in an invitation (PPMF-SRV-001)."""
    return hashlib.sha256(point).digest()


def link_certificate(key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    """The certificate of the link, and its private key, both in PEM (PPMF-SRV-003)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ppmf link")])
    serial = int.from_bytes(fingerprint(public_point(key))[:16], "big") | 1
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_FROM)
        .not_valid_after(_FOR_EVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), secret


def read_certificate(path: Path) -> tuple[bytes, bytes]:
    """A peer's certificate in PEM, and the point of its key, 33 bytes (PPMF-SRV-003).

    Raises EncodingError if the file is none, its key is not of P-256, or another hash than SHA-256
    was signed.
    """
    content = read_bytes(path)
    try:
        if len(content) > MOST_BYTES:
            raise ValueError
        found = x509.load_pem_x509_certificate(content)
        key = found.public_key()
        found.verify_directly_issued_by(found)
    except Exception:  # the library raises errors of its own for each field
        raise EncodingError(f"{path}: not a certificate in PEM that its own key signed") from None
    if not isinstance(found.signature_hash_algorithm, hashes.SHA256):
        raise EncodingError(f"{path}: not signed with SHA-256")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EncodingError(f"{path}: not a certificate of a key of P-256")
    return found.public_bytes(Encoding.PEM), write_point(key)


def read_private_file(path: Path) -> bytes:
    """The bytes of a file that nobody but its owner can read (PPMF-SRV-002).

    Raises StateError if it is a link, another user's, or open to others, and EncodingError if it is
    not there or longer than `MOST_BYTES`.
    """
    try:
        descriptor = own_file(path, written=False)  # it may stand where nothing is written
    except OSError as error:
        raise EncodingError(f"{path}: cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise StateError(f"{path}: others may use this file; close it (chmod 600)")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise EncodingError(f"{path}: more than {MOST_BYTES} bytes")
    return content


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, whole or not at all, in the place of what is there."""
    write_durably(path, content)
