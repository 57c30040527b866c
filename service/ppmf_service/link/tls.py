# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS 1.3 between the servers: each knows the other by its exact certificate (PPMF-LNK-001)."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import StateError

_PASSWORD_BYTES = 32

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the library has no name for."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """By what a server is known on the link, and by what it knows its peer, all in PEM.

    certificate, key: its own. peer: the certificate of the peer.
    """

    certificate: bytes
    key: bytes
    peer: bytes

    @property
    def pinned(self) -> bytes:
        """The peer's certificate in DER."""
        return ssl.PEM_cert_to_DER_cert(self.peer.decode("ascii"))


def context(identity: Identity, coins: Coins, *, server: bool) -> ssl.SSLContext:
    """The TLS of one end: version 1.3 alone, and no peer but the one.

    server: whether this end listens. coins: for the password of a file that lasts for a moment,
    since the library takes a key from a file alone.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False  # the certificate is compared as a whole, and names nobody
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= _NO_CHECK_TIME  # its dates mean nothing (PPMF-SRV-003)
    made.load_verify_locations(cadata=identity.peer.decode("ascii"))
    if server:
        made.num_tickets = 0  # a connection that only sends would never read them
    password = coins.bytes(_PASSWORD_BYTES).hex().encode()
    encrypted = load_pem_private_key(identity.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "link.pem"
        file.touch(mode=0o600)
        file.write_bytes(identity.certificate + encrypted)
        made.load_cert_chain(file, password=password)
    return made


def check_peer(end: ssl.SSLSocket, identity: Identity) -> None:
    """Compare the peer's certificate with the one that is known. Raises StateError if it is another
    one, and for a version below 1.3 (PPMF-LNK-001).
    """
    if end.version() != "TLSv1.3":
        raise StateError(f"link: {end.version()} where TLS 1.3 is due")
    if end.getpeercert(binary_form=True) != identity.pinned:
        raise StateError("link: the peer's certificate is not the one of the configuration")
