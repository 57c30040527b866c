# SPDX-License-Identifier: Apache-2.0
"""A server of the service with workers: its configuration, and a session to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf_secure.primitives.room import MEMORY, Files
from ppmf_secure.primitives.workers import OneProcess, ProcessHealth, WorkerHealth, Workers
from ppmf_secure.transport.dask_workers import DaskWorkers, WorkersLostError, local_cluster
from ppmf_service.config import MatricesConfig, WorkersConfig, example, read_config
from ppmf_service.engine import epochs
from ppmf_service.engine.workers import room_of, workers_of
from ppmf_service.measures import Measures, WorkersCost
from ppmf_service.report import Reports
from ppmf_service.report_page import page
from ppmf_service.states import State
from ppmf_spec.errors import ParametersError
from ppmf_spec.roles import CSP, RECSYS
from tests.support.engines import World

TABLE = """
[workers]
scheduler = "tls://10.0.0.5:8786"
ca = "workers/ca.pem"
certificate = "workers/server.pem"
key = "workers/server.key"
folder = "shards"
"""


def test_a_configuration_names_workers(tmp_path: Path) -> None:
    path = tmp_path / "csp.toml"
    path.write_text(example(CSP) + TABLE)
    assert read_config(path).workers == WorkersConfig(
        "tls://10.0.0.5:8786",
        *(tmp_path / name for name in ("workers/ca.pem", "workers/server.pem")),
        *(tmp_path / name for name in ("workers/server.key", "shards")),
    )
    path.write_text(example(CSP))
    assert read_config(path).workers is None


@pytest.mark.req("PPMF-WRK-010")
def test_a_configuration_puts_matrices_into_files(tmp_path: Path) -> None:
    path = tmp_path / "csp.toml"
    path.write_text(example(CSP) + '[matrices]\nfolder = "matrices"\n')
    assert read_config(path).matrices == MatricesConfig(tmp_path / "matrices")
    assert room_of(read_config(path).matrices) == Files(tmp_path / "matrices")
    assert room_of(None) == MEMORY
    for content, line in (
        ('folder = "data"', r"matrices\.folder: a folder of its own is due"),
        ("", r"matrices\.folder: is missing"),
        ('folder = "m"\nsize = 3', r"matrices\.size: unknown"),
    ):
        path.write_text(f"{example(CSP)}[matrices]\n{content}\n")
        with pytest.raises(ParametersError, match=line):
            read_config(path)


@pytest.mark.req("PPMF-WRK-001")
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("tls://", "tcp://", r"workers\.scheduler: an address that begins with tls://"),
        ('key = "workers/server.key"', "", r"workers\.key: is missing"),
        ("folder =", "fodler =", r"workers\.folder: is missing"),
        ('folder = "shards"', 'folder = "shards"\nnumber = 3', r"workers\.number: unknown"),
        ('folder = "shards"', 'folder = "data"', r"workers\.folder: a folder of its own is due"),
        ('folder = "shards"', 'folder = "data/x"', r"workers\.folder: a folder of its own is due"),
        ('folder = "shards"', 'folder = "."', r"workers\.folder: a folder of its own is due"),
    ],
)
def test_workers_without_certificates_are_refused(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    path = tmp_path / "csp.toml"
    path.write_text(example(CSP) + TABLE.replace(old, new))
    with pytest.raises(ParametersError, match=line):
        read_config(path)


class Limping(OneProcess):
    """Workers of which one does not answer when it is asked how it is; that may take a while, in
    which users send.
    """

    locked: Callable[[], bool]

    def health(self) -> list[WorkerHealth]:
        assert not self.locked()
        process = ProcessHealth(5 << 20, 7 << 20, 1.25)
        return [WorkerHealth(f"tls://{number}", (), process) for number in range(2)]


@pytest.mark.req("PPMF-WRK-002")
def test_a_session_whose_servers_have_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each epoch has a folder for its shards; both servers are killed on the way. One worker of
    three does not answer.
    """
    made: list[Path] = []

    @contextmanager
    def shards(config: WorkersConfig | None) -> Iterator[Workers | None]:
        assert config is None
        folder = tmp_path / f"shards-{len(made)}"
        folder.mkdir()
        made.append(folder)
        limping = Limping(3, folder)
        limping.locked = lambda: any(
            world.server(role).database._connection().in_transaction for role in (RECSYS, CSP)
        )
        yield limping

    monkeypatch.setattr(epochs, "workers_of", shards)
    world = World(tmp_path)
    key = world.propose()
    world.until(world.is_in(key, State.OPEN))
    world.upload_all(key)
    world.until(lambda: len(made) == 2)
    world.restart(RECSYS)
    world.until(world.is_in(key, State.TRAINING))
    measures = Measures(world.server(CSP).database)
    world.until(lambda: measures.running_workers() is not None)
    told = measures.running_workers()
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()
    assert len(made) == 4
    facts = Reports(world.configs[CSP], world.server(CSP).database).facts(key)
    assert facts["epochs"][-1]["workers"]["there"] == 2
    assert "2 of 3</b><span>workers were there last" in page(facts)
    assert told == WorkersCost(3, 2, 7 << 20, 2.5, told.at if told else 0)
    world.servers.close()


def test_an_epoch_that_cannot_begin_lets_its_workers_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler is away at first: the epoch ends in one line, and the next one finds it."""
    asked = []

    @contextmanager
    def away_once(config: WorkersConfig | None) -> Iterator[Workers | None]:
        asked.append(config)
        if len(asked) == 1:
            raise WorkersLostError("tls://10.0.0.5:8786: no scheduler answers there")
        yield None

    monkeypatch.setattr(epochs, "workers_of", away_once)
    world = World(tmp_path)
    key = world.propose()
    world.until(world.is_in(key, State.OPEN))
    world.upload_all(key)
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()
    world.servers.close()


@pytest.mark.req("PPMF-WRK-001")
def test_what_a_killed_epoch_has_left_goes_when_the_server_starts_again(tmp_path: Path) -> None:
    """Its session may have ended meanwhile, so that no later epoch begins; other files stay."""
    world = World(tmp_path / "world")
    folder = tmp_path / "shards"
    (folder / "matrix-2").mkdir(parents=True)
    for name in ("matrix-1.plain", "matrix-2/0.own", "notes.txt"):
        (folder / name).write_bytes(b"bits")
    none = tmp_path / "none.pem"
    workers = WorkersConfig("tls://10.0.0.5:8786", none, none, none, folder)
    world.configs[CSP] = replace(world.configs[CSP], workers=workers)
    world.restart(CSP)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    world.servers.close()


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-001")
def test_workers_of_a_cluster_by_its_files(tmp_path: Path) -> None:
    with local_cluster(1, tmp_path / "cluster") as made:
        ca, certificate, key = (
            tmp_path / f"{name}.pem"
            for name in ("tls_ca_file", "tls_client_cert", "tls_client_key")
        )
        for path in (ca, certificate, key):
            path.touch(mode=0o600)
            path.write_text(getattr(made.security, path.stem))
        config = WorkersConfig(made.address, ca, certificate, key, tmp_path / "shards")
        config.folder.mkdir(mode=0o700)
        (config.folder / "matrix-7").mkdir()
        with workers_of(config) as workers:
            assert isinstance(workers, DaskWorkers)
            assert workers.count == 1
            assert list(config.folder.iterdir()) == [workers.tasks]
        assert list(config.folder.iterdir()) == []
