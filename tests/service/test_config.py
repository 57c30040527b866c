# SPDX-License-Identifier: Apache-2.0
"""The configuration of a server: what is read, and what is refused with file and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppmf_service.config import Listen, Policy, ServerConfig, example, read_config
from ppmf_service.keys import link_certificate, public_point
from ppmf_spec.errors import EncodingError, ParametersError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.sessions import SIGNING


def written(folder: Path, text: str) -> Path:
    path = folder / "server.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_the_example_is_a_whole_configuration(tmp_path: Path, role: Role) -> None:
    found = read_config(written(tmp_path, example(role)))
    assert found.role is role
    assert found.folder == tmp_path / "data"
    assert found.signing_key == tmp_path / "signing.pem"
    assert found.passphrase is None
    assert found.policy == Policy("ask", 0)
    assert found.link.peer_certificate == tmp_path / f"{role.peer}.pem"
    assert found.api.public_url != found.link.peer_url
    assert found.database == tmp_path / "data" / "service.sqlite"
    assert found.session_folder(b"\x01" * 32) == tmp_path / "data" / "sessions" / ("01" * 32)
    assert found.profiles_file(b"\x01" * 32).parent == tmp_path / "data" / "profiles"


def test_both_examples_are_of_one_pair(tmp_path: Path) -> None:
    pair = []
    for role in (RECSYS, CSP):
        (tmp_path / role).mkdir()
        pair.append(read_config(written(tmp_path / role, example(role))))
    recsys, csp = pair
    assert recsys.link.peer_url == csp.api.public_url
    assert csp.link.peer_url == recsys.api.public_url
    assert (recsys.link.host, recsys.link.port) == (csp.link.host, csp.link.port)


def test_every_line_that_is_a_comment_may_be_used(tmp_path: Path) -> None:
    text = re.sub(r"^# (\w+ = |\[\w+\])", r"\1", example(RECSYS), flags=re.M)
    found = read_config(written(tmp_path, text))
    assert found.passphrase == tmp_path / "passphrase.txt"
    assert found.api.certificate == tmp_path / "web.pem"
    assert found.api.key == tmp_path / "web.key"


def test_the_peers_key_is_read_from_its_certificate(tmp_path: Path) -> None:
    found = read_config(written(tmp_path, example(RECSYS)))
    with pytest.raises(EncodingError, match="csp.pem: cannot be read"):
        _ = found.link.peer_key
    (tmp_path / "csp.pem").write_bytes(link_certificate(SIGNING["csp"])[0])
    assert found.link.peer_key == public_point(SIGNING["csp"])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('role = "recsys"', 'role = "users"', "role: must be one of recsys, csp"),
        ('role = "recsys"', "", "role: is missing"),
        ('role = "recsys"', "role = 1", "role: a text is due"),
        ('folder = "data"', 'folder = ""', "folder: a text is due"),
        ('folder = "data"', 'folder = "da\\u001bta"', "folder: a text is due"),
        ('folder = "data"', 'folder = "data"\nfloder = 1', "floder: unknown"),
        ('folder = "data"', 'folder = "data"\n"\\u001b[2J" = 1', r"\x1b[2J: unknown"),
        ("[link] ", "[links]", "link: the table is missing"),
        ("[link] ", "[[link]]", "link: a table is due"),
        ("[policy]", "[policy]\naccpet = 1", "policy.accpet: unknown"),
        ('accept = "ask" ', 'accept = "all" ', "policy.accept: must be one of ask, trial"),
        ('"never"', '"always"', "policy.transcripts: must be one of never, trial"),
        ("grace = 0", "grace = -1", "policy.grace: a whole number of seconds is due"),
        ("grace = 0", "grace = true", "policy.grace: a whole number of seconds is due"),
        ("grace = 0", "grace = 1.5", "policy.grace: a whole number of seconds is due"),
        (
            'level = "info"',
            'level = "all"',
            "log.level: must be one of debug, info, warning, error",
        ),
        ('"127.0.0.1:7443"', '"127.0.0.1"', "link.address: host:port is due"),
        ('"127.0.0.1:7443"', '":7443"', "link.address: host:port is due"),
        ('"127.0.0.1:7443"', '"a:65536"', "link.address: host:port is due"),
        ('"127.0.0.1:7443"', '"a:7e3"', "link.address: host:port is due"),
        ('"127.0.0.1:8443"', '"0.0.0.0:8443"', "api.address: without a certificate, an address of"),
        ('# key = "web.key"', 'key = "web.key"', "api.certificate: `certificate` and `key` belong"),
        (
            '"http://127.0.0.1:8443"',
            '"http://a.example"',
            "api.public_url: http is for this machine",
        ),
        ('"http://127.0.0.1:8443"', '"recsys"', "api.public_url: an https URL is due"),
        ('"http://127.0.0.1:8444"', '"https://a/?b"', "link.peer_url: an https URL is due"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    text = example(RECSYS)
    assert text.count(old) == 1
    path = written(tmp_path, text.replace(old, new))
    with pytest.raises(ParametersError) as refusal:
        read_config(path)
    assert str(refusal.value).startswith(f"{path}: {line}")
    assert str(refusal.value).isprintable()


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match="server.toml: "):
        read_config(written(tmp_path, "role ="))
    with pytest.raises(ParametersError, match="more than"):
        read_config(written(tmp_path, "#" * 100_000))
    with pytest.raises(EncodingError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


def test_an_address_in_brackets(tmp_path: Path) -> None:
    text = example(CSP).replace('"127.0.0.1:8444"', '"[::1]:0"', 1)
    found = read_config(written(tmp_path, text))
    assert found.api == Listen("::1", 0, "http://127.0.0.1:8444")
    assert isinstance(found, ServerConfig)
