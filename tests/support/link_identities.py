# SPDX-License-Identifier: Apache-2.0
"""Certificates of the link for tests, made from chapter 8 and not by the service's own code."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ppmf_secure.primitives.base_transfers import fresh_secret
from ppmf_secure.primitives.coins import Coins
from ppmf_service.link.tls import Identity
from ppmf_spec.roles import CSP, RECSYS, Role


def certificate_of(key: ec.EllipticCurvePrivateKey, ends: int = 9999) -> bytes:
    """A certificate that its own key signed, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(ends, 12, 31, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def identities(label: str = "link", ends: int = 9999) -> dict[Role, Identity]:
    """The identities of two servers that know each other; another label, other keys.

    ends: the year after which the certificates are too old.
    """
    keys = {role: fresh_secret(Coins.seeded(f"{label}/{role}")) for role in (RECSYS, CSP)}
    certificates = {role: certificate_of(key, ends) for role, key in keys.items()}
    return {
        role: Identity(
            certificates[role],
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificates[role.peer],
        )
        for role, key in keys.items()
    }
