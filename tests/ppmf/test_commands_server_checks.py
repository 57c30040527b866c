# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance api`, over real sockets."""

from __future__ import annotations

import io
import json
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ppmf import main
from ppmf_conformance.servers import CHECKS
from ppmf_conformance.servers.calls import Call, HttpCaller, NoAnswerError
from ppmf_service import keys
from ppmf_spec.roles import CSP, RECSYS
from tests.support.api_server import listening, with_certificate
from tests.support.command_line import documented
from tests.support.served import Served, config_of, served
from tests.support.sessions import SIGNING

Capture = pytest.CaptureFixture[str]


@dataclass
class Running:
    """Both servers on addresses of loopback, and the files of an invitation's halves."""

    servers: Served
    recsys: str
    csp: str
    halves: tuple[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    with served(folder) as servers:
        servers.session()
        pair = servers.pair
        with (
            listening(config_of(RECSYS, folder / "recsys"), pair.recsys.database, pair.clock) as a,
            listening(config_of(CSP, folder / "csp"), pair.csp.database, pair.clock) as b,
        ):
            recsys, csp = (f"http://127.0.0.1:{ports['api']}" for ports in (a, b))
            made = servers.invitation("u2", recsys_url=recsys, csp_url=csp)
            files = folder / "recsys.txt", folder / "csp.txt"
            for file, line in zip(files, made.text().split(), strict=True):
                file.write_text(f"{line}\n")
            yield Running(servers, recsys, csp, (str(files[0]), str(files[1])))


def invited(running: Running) -> list[str]:
    return [word for half in running.halves for word in ("--invitation", half)]


@pytest.mark.req("PPMF-CON-050")
def test_our_servers_pass_by_an_invitation(running: Running, capsys: Capture) -> None:
    status = main.main(["conformance", "api", *invited(running), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == documented("server-checks")
    assert (status, found["exit"]) == (0, 0), found
    assert (found["url"], found["csp"]) == (running.recsys, running.csp)
    assert found["counts"] == {"yes": len(CHECKS) - 4, "no": 0, "not seen": 3}
    assert {one["check"] for one in found["checks"] if one["seen"] == "not seen"} == {
        "after-the-closing", "the-last-again", "erased-digests",
    }  # fmt: skip
    assert len(found["session"]) == 64
    assert set(found["checks"][0]) == {"check", "what", "requirements", "seen", "detail"}


def test_a_table_for_people(running: Running, capsys: Capture) -> None:
    assert main.main(["conformance", "api", "--url", running.recsys, "--only", "status"]) == 0
    assert capsys.readouterr().out == (
        "yes       status: The status has its form, and ten tenths only with V "
        "(PPMF-API-014 PPMF-SRV-004)\n1 checks: 1 yes, 0 no, 0 not seen\n"
    )


def test_a_wrong_server_is_exit_status_1(
    running: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppmf_service.api.problems.TYPE", "about:")
    command = ["conformance", "api", "--url", running.recsys, "--only", "unknown-paths"]
    assert main.main(command) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("no        unknown-paths: ")
    assert out[1] == "          /v1: type about:range"
    assert out[2] == "1 checks: 0 yes, 1 no, 0 not seen"


def test_nothing_seen_is_exit_status_5(running: Running, capsys: Capture) -> None:
    command = ["conformance", "api", "--url", running.recsys, "--only", "csps-file"]
    assert main.main(command) == 5
    assert "CSP's address was not given" in capsys.readouterr().out


def test_an_invitation_from_standard_input_and_a_session_by_its_id(
    running: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "".join(Path(half).read_text() for half in running.halves)
    monkeypatch.setattr(sys, "stdin", io.StringIO(both))
    command = ["conformance", "api", "--invitation", "-", "--only", "own-receipt", "--json"]
    assert main.main([*command, "--session", "0" * 64]) == 5
    (one,) = json.loads(capsys.readouterr().out)["checks"]
    assert one["detail"] == "no file of the session (status 404)"


@pytest.mark.req("PPMF-ENR-013")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--url or --invitation"),
        (["--url", "http://recsys.example"], "https is due"),
        (["--url", "https://a.example", "--session", "7"], "64 hexadecimal digits"),
        (["--url", "https://a.example", "--only", "sanity"], "none of after-the-closing"),
        (["--url", "https://a.example", "--deadline", "0"], "not between"),
        (["--url", "https://a.example", "--ca", "nowhere.pem"], "nowhere.pem"),
        (["--url", "https://a.example", "--ca", "{here}"], "no certificates"),
        (["--invitation", "{here}"], "0 lines where its two halves are due"),
        (["--invitation", "nowhere.txt"], "nowhere.txt"),
        (["--invitation", "ppmf=2&from=recsys&user=u&token=t"], "PPMF-ENR-013"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, capsys: Capture, arguments: list[str], says: str
) -> None:
    here = tmp_path / "empty"
    here.write_text("")
    command = [word.format(here=here) for word in arguments]
    assert main.main(["conformance", "api", *command]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert says in " ".join(found.err.split())


def test_a_server_over_https(running: Running, tmp_path: Path) -> None:
    certificate, key = (tmp_path / name for name in ("web.pem", "web.key"))
    for path, pem in zip((certificate, key), keys.link_certificate(SIGNING["csp"]), strict=True):
        path.write_bytes(pem)
    trusted = ssl.create_default_context(cafile=str(certificate))
    trusted.check_hostname = False
    config = with_certificate(config_of(CSP, tmp_path / "csp"), certificate, key)
    pair = running.servers.pair
    with listening(config, pair.csp.database, pair.clock) as ports:
        url = f"https://127.0.0.1:{ports['api']}"
        assert HttpCaller(url, 20, trusted)(Call("GET", "/healthz")).body == b"ok\n"
        with pytest.raises(NoAnswerError, match="SSLCertVerificationError"):
            HttpCaller(url, 20)(Call("GET", "/healthz"))
