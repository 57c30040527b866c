# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: its results and, while it runs, the servers' checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from ppmf import console, outputs, run_report
from ppmf.ending import EndedError
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.session import Session
from ppmf_secure.transport.processes import LocalWorkers, RunResult
from ppmf_secure.transport.store import discard, load_session, resumable
from ppmf_spec import profiles
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role

_RECORDED = ("*/*.cborseq", "signed-session.cbor")
"""The transcripts, each in the folder of its party, and the session that they are of."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder `path` of a run, and the files in it."""

    path: Path

    @property
    def profiles(self) -> Path:
        """The item profiles."""
        return self.path / "item_profiles.json"

    @property
    def report(self) -> Path:
        """The report: costs of the run, and the versions it was made with."""
        return self.path / "report.json"

    @property
    def transcripts(self) -> Path:
        """The folder of what each party sent and received."""
        return self.path / "transcripts"

    @property
    def recording(self) -> Path:
        """The folder of transcripts while the run goes on; on the disk of the finished ones."""
        return self.transcripts / "unfinished"

    @property
    def recorded(self) -> bool:
        """Whether there are transcripts of a run that has not finished."""
        return bool(_recorded(self.recording))

    @property
    def checkpoints(self) -> Path:
        """The folder of the servers' shares: secret, and removed when the run is finished."""
        return self.path / "checkpoints"

    @property
    def workers(self) -> Path:
        """The folder of the workers' shards, which is there only while the run is going on."""
        return self.path / "workers"

    @property
    def matrices(self) -> Path:
        """The folder of matrices in files, which is there only while the run is going on."""
        return self.path / "matrices"

    def local_workers(self, count: int) -> LocalWorkers | None:
        """So many workers of each server; None if there are to be none."""
        return LocalWorkers(count, self.workers) if count else None

    @property
    def _written(self) -> tuple[Path, ...]:
        """The files of an earlier run that a run replaces, besides its checkpoints."""
        return self.profiles, self.report, *_recorded(self.transcripts), *_recorded(self.recording)

    def check(self, inputs: Iterable[Path | None]) -> None:
        """Refuse a folder in which the run would replace a file that it reads.

        Raises typer.BadParameter naming the file.
        """
        inputs = tuple(inputs)
        for path in (*self._written, *self.checkpoints.rglob("*")):
            if path.is_file():
                outputs.check(path, inputs)

    def prepare(self, *, force: bool, record: bool) -> None:
        """Make the folder, with one for transcripts if they are to be recorded.

        With `force` a run that was interrupted is removed, and the results of a finished one stay
        until `publish` replaces them. Raises typer.BadParameter when the folder is not empty and
        `force` is not given.
        """
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(self.path))
        if self.path.is_dir() and any(self.path.iterdir()) and not force:
            if resumable(self.checkpoints):
                raise typer.BadParameter(
                    f"{self.path} holds an interrupted run: `ppmf resume {self.path}` goes on with "
                    f"it, --force discards it"
                )
            raise typer.BadParameter(
                f"{self.path} is not empty; --force replaces an earlier run in it"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        discard(self.checkpoints)
        _remove(self.recording)
        if record:
            private_folder(self.transcripts)
            private_folder(self.recording)

    def interrupted(self) -> tuple[Session, int]:
        """The session of the interrupted run in this folder, and its last epoch.

        Raises StateError when there is no interrupted run.
        """
        if not resumable(self.checkpoints):
            why = (
                "its run is finished"
                if self.profiles.is_file()
                else "it holds no checkpoints (`ppmf train --keep-checkpoints` writes them)"
            )
            raise StateError(f"{self.path}: nothing to resume: {why}")
        signed, last = load_session(self.checkpoints)
        return signed.session, last

    @contextmanager
    def if_interrupted(self) -> Iterator[None]:
        """The context of a run; after an early end it says how to go on, or removes the shares."""
        try:
            yield
        except BaseException as error:
            if not resumable(self.checkpoints):
                discard(self.checkpoints)
            elif isinstance(error, KeyboardInterrupt | EndedError | PeerError):
                console.note(f"`ppmf resume {self.path}` goes on from the last checkpoint")
            raise

    def keep_transcripts(self) -> None:
        """Put the transcripts of the run, which is finished, in the place of older ones."""
        _remove(self.transcripts)
        for path in sorted(_recorded(self.recording)):
            private_folder(self.transcripts)
            place = self.transcripts / path.relative_to(self.recording)
            private_folder(place.parent)
            path.rename(place)
        _remove(self.recording)

    def publish(self, result: RunResult, run: Run, elapsed: float) -> None:
        """Write the results in the place of older ones, remove the checkpoints, print the costs."""
        self.keep_transcripts()
        chosen = cipher_suite(run.suite)
        profiles.write(self.profiles, result.profiles)
        run_report.write_json(
            self.report,
            {
                "format": "ppmf-run-report/1",
                "suite": chosen.name,
                "secure": chosen.secure,
                "users": run.users,
                "items": run.items,
                "bits": round(bounds(run.params, run.users, run.items).bits, 3),
                "epoch": run.epoch,
                "seconds": round(elapsed, 3),
                "measures": run_report.measures_json(result.measures),
                **run_report.workers_json(result.health),
                "item_profiles_sha256": hashlib.sha256(self.profiles.read_bytes()).hexdigest(),
                "parameters": run.params.as_dict(),
                "parameters_sha256": run.params.digest().hex(),
                "versions": run_report.versions(),
            },
        )
        discard(self.checkpoints)
        run_report.measures_table(result.measures)
        console.say()
        console.say(
            f"{run.items:,} item profiles of {run.users:,} users, {run.suite}, "
            f"{console.seconds(elapsed)}: {self.profiles}"
        )


def _recorded(folder: Path) -> list[Path]:
    """The transcripts in a folder, and the file of their session."""
    return [path for pattern in _RECORDED for path in folder.glob(pattern)]


def _remove(recording: Path) -> None:
    """Remove the transcripts in a folder, and the folders that hold nothing else."""
    for path in _recorded(recording):
        path.unlink()
    for folder in (*(recording / party for party in Role), recording):
        with suppress(OSError):  # it holds what is not a run's, or is not there
            folder.rmdir()


@dataclass(frozen=True, slots=True)
class Run:
    """The public facts of a run; `epoch` is the number of times it was resumed."""

    params: Parameters
    suite: str
    users: int
    items: int
    epoch: int = 0
