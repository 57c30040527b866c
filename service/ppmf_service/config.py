# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a server: one TOML file, in which secrets stand as paths of files alone.

A path that is not absolute begins at the folder of the file. Every key that is not known is
refused, so that a slip of the pen is no silent default. `EXAMPLE` is a whole file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ppmf_secure.session.invitations import check_url
from ppmf_service.database import FILE
from ppmf_service.keys import MOST_BYTES, read_certificate
from ppmf_spec.errors import ParametersError
from ppmf_spec.files import read_text
from ppmf_spec.roles import CSP, RECSYS, Role

ASK, NEVER, TRIAL = "ask", "never", "trial"
LEVELS = ("debug", "info", "warning", "error")

EXAMPLE = """\
# The configuration of {role}. Paths begin at the folder of this file.
role = "{role}"
folder = "data"                    # private: the database and checkpoints
signing_key = "signing.pem"
# passphrase = "passphrase.txt"    # the file of the passphrase of that key, if it has one

[api]                              # for users
address = "127.0.0.1:{api}"
public_url = "http://127.0.0.1:{api}"
# certificate = "web.pem"          # of HTTPS; without it, plain HTTP on this machine alone
# key = "web.key"
# proxy = "127.0.0.1"              # whose X-Forwarded-For is believed, if a proxy does the HTTPS

[monitoring]                       # /metrics and /readyz
address = "127.0.0.1:{monitoring}"

[link]                             # to the other server
address = "127.0.0.1:{link}"         # csp listens there, recsys dials it
peer_certificate = "{peer}.pem"    # the file that the other operator handed over
peer_url = "http://127.0.0.1:{peer_api}"  # under what users reach the other server

[policy]
accept = "ask"                     # csp: or "trial", to accept sessions marked as trials at once
grace = 0                          # recsys: seconds for replacing uploads once all users are there
transcripts = "never"              # or "trial", to keep what is sent in sessions marked as trials

# [workers]                        # of this server, if it has any (extra `cluster`)
# scheduler = "tls://10.0.0.5:8786"
# ca = "workers/ca.pem"            # whom this server and its workers believe
# certificate = "workers/server.pem"
# key = "workers/server.key"
# folder = "shards"                # private; the workers see it under the same path

# [matrices]                       # kept in files, if they are larger than the memory
# folder = "matrices"              # of this machine; with workers, of each worker's machine

[log]
level = "info"
"""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server is reached over HTTP.

    host, port: where it listens; port 0 is any free one. public_url: under what others reach it, ""
    for no one. certificate, key: of HTTPS, both or neither. proxy: the IP address of a proxy in
    front of it, which does HTTPS and says in X-Forwarded-For whose request it is; "" for none.
    """

    host: str
    port: int
    public_url: str = ""
    certificate: Path | None = None
    key: Path | None = None
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """The link to the other server.

    host, port: where CSP listens and RecSys dials. peer_certificate: the peer's, of its signing
    key. peer_url: under what users reach the peer.
    """

    host: str
    port: int
    peer_certificate: Path
    peer_url: str = ""

    @property
    def peer_key(self) -> bytes:
        """The point of the peer's signing key, 33 bytes; raises as `read_certificate`."""
        return read_certificate(self.peer_certificate)[1]


@dataclass(frozen=True, slots=True)
class WorkersConfig:
    """Where the workers of a server are (chapter 4, "Workers").

    scheduler: the address of their scheduler. ca: the certificate of the authority that issued
    those of the server, of the scheduler and of the workers. certificate, key: the server's own.
    folder: a private folder that the workers see under the same path, for their shards.
    """

    scheduler: str
    ca: Path
    certificate: Path
    key: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class MatricesConfig:
    """That encrypted matrices lie in files (PPMF-WRK-010).

    folder: a private one on a disk of this machine; with workers, the path of one on theirs.
    """

    folder: Path


@dataclass(frozen=True, slots=True)
class Policy:
    """What a server decides without its operator.

    accept: "ask", or "trial" for a CSP that accepts sessions marked `trial` at once. grace: for how
    many seconds users may replace their uploads when all are there (PPMF-ADM-003). transcripts:
    "never", or "trial" to keep those of sessions marked `trial` (PPMF-SRV-025).
    """

    accept: str = ASK
    grace: int = 0
    transcripts: str = NEVER


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The configuration of RecSys or CSP; `role` says of which."""

    role: Role
    folder: Path
    signing_key: Path
    passphrase: Path | None
    api: Listen
    monitoring: Listen
    link: LinkConfig
    policy: Policy = Policy()
    log_level: str = "info"
    workers: WorkersConfig | None = None
    matrices: MatricesConfig | None = None

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.folder / FILE

    def session_folder(self, session_id: bytes) -> Path:
        """The folder of what is kept for later epochs of a session, all of which is erased."""
        return self.folder / "sessions" / session_id.hex()

    def profiles_file(self, session_id: bytes) -> Path:
        """The file in which RecSys publishes V, which outlives the session."""
        return self.folder / "profiles" / f"{session_id.hex()}.json"

    def transcripts_folder(self, session_id: bytes) -> Path:
        """The folder of the transcripts of a trial session, which are not erased."""
        return self.folder / "transcripts" / session_id.hex()

    @property
    def reports_folder(self) -> Path:
        """The folder of the reports of sessions that have ended, which outlive them."""
        return self.folder / "reports"


def read_config(path: Path) -> ServerConfig:
    """The configuration in a file.

    Raises EncodingError if it is no TOML, ParametersError, with the file and the key, for a key
    that is missing, unknown, or whose value is not of its kind.
    """
    text = read_text(path)
    if len(text) > MOST_BYTES:
        raise ParametersError(f"{path}: more than {MOST_BYTES} characters")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParametersError(f"{path}: {error}") from None
    return _Table(path, content).server()


class _Table:
    """A table of the file, of which every key has to be asked for."""

    def __init__(self, path: Path, content: Mapping[str, Any], name: str = "") -> None:
        self._path = path
        self._name = name
        self._left = dict(content)

    def server(self) -> ServerConfig:
        role = self._one_of("role", (RECSYS, CSP))
        found = ServerConfig(
            Role(role),
            self._file("folder"),
            self._file("signing_key"),
            self._optional_file("passphrase"),
            self._table("api")._listen(public=True),
            self._table("monitoring", {"address": "127.0.0.1:0"})._listen(public=False),
            self._table("link")._link(),
            self._table("policy", {})._policy(),
            self._table("log", {})._level(),
            self._table("workers")._workers() if "workers" in self._left else None,
            self._table("matrices")._matrices() if "matrices" in self._left else None,
        )
        self._end()
        if found.workers is not None:
            self._check_own("workers.folder", found.workers.folder, found.folder)
        if found.matrices is not None:
            self._check_own("matrices.folder", found.matrices.folder, found.folder)
        return found

    def _check_own(self, name: str, shards: Path, folder: Path) -> None:
        """Raise ParametersError if the folder of that name is also one of something else."""
        shards, others = (
            shards.resolve(),
            (folder.resolve(), self._path.absolute().parent.resolve()),
        )
        if (
            shards in others
            or others[0] in shards.parents
            or any(shards in other.parents for other in others)
        ):
            raise self._error(name, "a folder of its own is due")

    def _listen(self, *, public: bool) -> Listen:
        host, port = self._address("address")
        if not public:
            self._end()
            return Listen(host, port)
        url = self._url("public_url")
        certificate, key = self._optional_file("certificate"), self._optional_file("key")
        if (certificate is None) != (key is None):
            raise self._error("certificate", "`certificate` and `key` belong together")
        proxy = self._ip("proxy") if "proxy" in self._left else ""
        if certificate is None and not proxy and host not in ("127.0.0.1", "::1", "localhost"):
            reason = "without a certificate, an address of this machine alone (127.0.0.1)"
            raise self._error("address", reason)
        self._end()
        return Listen(host, port, url, certificate, key, proxy)

    def _link(self) -> LinkConfig:
        address, certificate = self._address("address"), self._file("peer_certificate")
        found = LinkConfig(*address, certificate, self._url("peer_url"))
        self._end()
        return found

    def _workers(self) -> WorkersConfig:
        scheduler = self._text("scheduler")
        if not scheduler.startswith("tls://"):
            raise self._error("scheduler", "an address that begins with tls:// is due")
        files = [self._file(key) for key in ("ca", "certificate", "key", "folder")]
        self._end()
        return WorkersConfig(scheduler, *files)

    def _matrices(self) -> MatricesConfig:
        found = MatricesConfig(self._file("folder"))
        self._end()
        return found

    def _policy(self) -> Policy:
        accept = self._one_of("accept", (ASK, TRIAL), ASK)
        grace = self._left.pop("grace", 0)
        if type(grace) is not int or not 0 <= grace <= 1 << 31:
            raise self._error("grace", "a whole number of seconds is due")
        transcripts = self._one_of("transcripts", (NEVER, TRIAL), NEVER)
        self._end()
        return Policy(accept, grace, transcripts)

    def _level(self) -> str:
        found = self._one_of("level", LEVELS, "info")
        self._end()
        return found

    # -- values ------------------------------------------------------------------------------------

    def _text(self, key: str) -> str:
        if key not in self._left:
            raise self._error(key, "is missing")
        found = self._left.pop(key)
        if not isinstance(found, str) or not found or not found.isprintable():
            raise self._error(key, "a text is due")
        return found

    def _file(self, key: str) -> Path:
        return self._path.absolute().parent / Path(self._text(key)).expanduser()

    def _optional_file(self, key: str) -> Path | None:
        return self._file(key) if key in self._left else None

    def _one_of(self, key: str, among: tuple[str, ...], default: str | None = None) -> str:
        if default is not None and key not in self._left:
            return default
        found = self._text(key)
        if found not in among:
            raise self._error(key, f"must be one of {', '.join(among)}")
        return found

    def _address(self, key: str) -> tuple[str, int]:
        """A host and a port, of "host:port" or "[host]:port"."""
        host, colon, port = self._text(key).rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 1 << 16
        if not host or not colon or number >= 1 << 16:
            raise self._error(key, "host:port is due")
        return host, number

    def _url(self, key: str) -> str:
        found = self._text(key).rstrip("/")
        try:
            check_url(found)
        except ValueError as error:
            raise self._error(key, str(error)) from None
        return found

    def _ip(self, key: str) -> str:
        try:
            return str(ip_address(self._text(key)))
        except ValueError:
            raise self._error(key, "an IP address is due") from None

    def _table(self, key: str, default: Mapping[str, Any] | None = None) -> _Table:
        found = self._left.pop(key, default)
        if found is None:
            raise self._error(key, "the table is missing")
        if not isinstance(found, dict):
            raise self._error(key, "a table is due")
        return _Table(self._path, found, f"{key}.")

    def _end(self) -> None:
        for key in self._left:
            raise self._error(key, "unknown")

    def _error(self, key: str, reason: str) -> ParametersError:
        shown = ascii(key[:40])[1:-1]
        return ParametersError(f"{self._path}: {self._name}{shown}: {reason}")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where both servers are reached on one machine, by users, operators and each other."""

    recsys: int = 8443
    csp: int = 8444
    recsys_monitoring: int = 9443
    csp_monitoring: int = 9444
    link: int = 7443


def example(role: Role, ports: Ports | None = None) -> str:
    """A configuration to begin with, for both servers on one machine."""
    ports = ports or Ports()
    api = {RECSYS: ports.recsys, CSP: ports.csp}
    return EXAMPLE.format(
        role=role,
        peer=role.peer,
        api=api[role],
        peer_api=api[role.peer],
        monitoring={RECSYS: ports.recsys_monitoring, CSP: ports.csp_monitoring}[role],
        link=ports.link,
    )
