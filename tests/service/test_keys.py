# SPDX-License-Identifier: Apache-2.0
"""Signing keys, their files, and the certificates of the link."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ppmf_secure.primitives.coins import Coins
from ppmf_service import keys
from ppmf_spec.errors import EncodingError, PpmfError, StateError
from tests.support.sessions import SIGNING

KEY = SIGNING["recsys"]


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.req("PPMF-SRV-001")
def test_a_key_is_of_p256_and_its_digest_that_of_its_point() -> None:
    one, other = (keys.make_signing_key(Coins.seeded(label)) for label in "ab")
    assert isinstance(one.curve, ec.SECP256R1)
    assert keys.public_point(one) != keys.public_point(other)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(keys.public_point(one))
    assert keys.fingerprint(keys.public_point(one)) == digest.finalize()
    assert len(keys.public_point(one)) == 33


@pytest.mark.parametrize("passphrase", [None, b"a secret \xc3\xa9"])
def test_a_key_is_read_back_from_its_file(tmp_path: Path, passphrase: bytes | None) -> None:
    path, phrase = tmp_path / "signing.pem", None
    keys.write_signing_key(path, KEY, passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    if passphrase is not None:
        phrase = private(tmp_path / "phrase", passphrase + b"\n")
        assert b"ENCRYPTED" in path.read_bytes()
    found = keys.read_signing_key(path, phrase)
    assert keys.public_point(found) == keys.public_point(KEY)
    with pytest.raises(StateError, match="never replaced"):
        keys.write_signing_key(path, KEY)


@pytest.mark.req("PPMF-SRV-002")
def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    keys.write_signing_key(path, KEY, b"secret")
    phrase = private(tmp_path / "phrase", b"secret")
    for open_one, mode in ((path, 0o640), (path, 0o604), (phrase, 0o620)):
        open_one.chmod(mode)
        with pytest.raises(StateError, match=f"{open_one}: others may use this file"):
            keys.read_signing_key(path, phrase)
        open_one.chmod(0o600)
    link = tmp_path / "link.pem"
    link.symlink_to(path)
    with pytest.raises(StateError, match="a link"):
        keys.read_signing_key(link, phrase)
    keys.read_signing_key(path, phrase)


def test_what_is_no_key_ends_in_one_line_that_shows_nothing(tmp_path: Path) -> None:
    plain, locked = tmp_path / "plain.pem", tmp_path / "locked.pem"
    keys.write_signing_key(plain, KEY)
    keys.write_signing_key(locked, KEY, b"the right one")
    wrong = private(tmp_path / "wrong", b"another")
    long = private(tmp_path / "long", b"x" * (keys.MOST_BYTES + 1))
    other = rsa.generate_private_key(65537, 1024).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    cases: list[tuple[Path, Path | None, type[PpmfError], str]] = [
        (tmp_path / "none", None, EncodingError, "cannot be read"),
        (private(tmp_path / "text", b"no key"), None, EncodingError, "not a private key"),
        (private(tmp_path / "empty", b""), None, EncodingError, "not a private key"),
        (long, None, EncodingError, "more than"),
        (locked, None, StateError, "it is encrypted"),
        (plain, wrong, StateError, "it is not encrypted"),
        (locked, wrong, EncodingError, "not with this passphrase"),
        (private(tmp_path / "rsa", other), None, EncodingError, "not a key of P-256"),
        (private(tmp_path / "p384", curve), None, EncodingError, "not a key of P-256"),
    ]
    for path, phrase, error, text in cases:
        with pytest.raises(error, match=text) as refusal:
            keys.read_signing_key(path, phrase)
        assert str(refusal.value).startswith(str(path))
        assert "another" not in str(refusal.value)


@pytest.mark.req("PPMF-SRV-003")
def test_a_certificate_is_of_the_key_and_always_the_same(tmp_path: Path) -> None:
    certificate, secret = keys.link_certificate(KEY)
    assert keys.link_certificate(KEY) == (certificate, secret)
    found = x509.load_pem_x509_certificate(certificate)
    assert found.version is x509.Version.v3
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)
    found.verify_directly_issued_by(found)
    assert load_pem_private_key(secret, None) is not None
    path = tmp_path / "peer.pem"
    path.write_bytes(certificate)
    assert keys.read_certificate(path) == (certificate, keys.public_point(KEY))


@pytest.mark.req("PPMF-SRV-003")
@pytest.mark.parametrize("other", [hashes.SHA384(), hashes.SHA512(), hashes.SHA224()])
def test_a_certificate_that_is_signed_with_another_hash_is_refused(
    tmp_path: Path, other: hashes.SHA384 | hashes.SHA512 | hashes.SHA224
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "SHA256", lambda: other)
        certificate, _ = keys.link_certificate(KEY)
    path = tmp_path / "peer.pem"
    path.write_bytes(certificate)
    with pytest.raises(EncodingError, match=f"{path}: not signed with SHA-256"):
        keys.read_certificate(path)


@pytest.mark.req("PPMF-SRV-003")
def test_what_is_no_such_certificate_is_refused(tmp_path: Path) -> None:
    certificate, secret = keys.link_certificate(KEY)
    der = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    forged = bytearray(der)
    forged[-1] ^= 1
    path = tmp_path / "peer.pem"
    for content in (
        b"",
        b"text",
        secret,
        der,
        certificate[:200],
        pem_of(bytes(forged)),
        b"\n" * keys.MOST_BYTES + certificate,
    ):
        path.write_bytes(content)
        with pytest.raises(EncodingError, match=f"{path}: not a certificate"):
            keys.read_certificate(path)
    with pytest.raises(EncodingError, match="cannot be read"):
        keys.read_certificate(tmp_path / "none")


def pem_of(der: bytes) -> bytes:
    """A certificate in PEM whose signature nobody checked."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def test_a_private_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    keys.write_private_file(path, b"one")
    keys.write_private_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside").write_bytes(b"")
    with pytest.raises(OSError, match="folder"):
        keys.write_private_file(folder, b"three")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_key_may_stand_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the secrets of a container do."""
    key = keys.make_signing_key(Coins.seeded("read-only"))
    keys.write_signing_key(tmp_path / "signing.pem", key)
    opens = os.open

    def only_read(path: str, flags: int, *more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opens(path, flags, *more)

    monkeypatch.setattr(os, "open", only_read)
    found = keys.read_signing_key(tmp_path / "signing.pem")
    assert keys.public_point(found) == keys.public_point(key)
