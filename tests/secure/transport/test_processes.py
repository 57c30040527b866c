# SPDX-License-Identifier: Apache-2.0
"""Two server processes on one machine: the result, its measures, and how it fails."""

from __future__ import annotations

import multiprocessing
from io import FileIO
from pathlib import Path

import pytest

from ppmf_reference import fixed
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import Recorder, read
from ppmf_secure.transport import processes, server_process
from ppmf_secure.transport.recorded_ends import Account, Progress
from ppmf_spec import wire
from ppmf_spec.errors import ParametersError, PeerError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.ratings import ratings_of

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=2)
SUITE = "paillier-512-insecure"


@pytest.mark.req("PPMF-RUN-001")
def test_three_processes_train_and_record_their_messages(tmp_path: Path) -> None:
    seen: list[Progress] = []
    transcripts, checkpoints = tmp_path / "transcripts", tmp_path / "checkpoints"
    transcripts.mkdir(mode=0o700)
    result = processes.train(
        RATINGS,
        PARAMETERS,
        suite=SUITE,
        transcripts=transcripts,
        checkpoints=checkpoints,
        progress=seen.append,
    )
    expected = fixed.train(RATINGS, PARAMETERS)
    assert result.profiles == expected
    _measures_are_the_transcripts(result, transcripts)
    assert seen[-1].done == seen[-1].total == 4
    assert {progress.party for progress in seen} == {RECSYS, CSP, USERS}
    resumed = processes.resume(checkpoints, transcripts=transcripts)
    assert resumed.profiles == expected
    epochs = {wire.decode(r.message).epoch for r in read(transcripts / "csp/csp.cborseq")}
    assert epochs == {0, 1}


def _measures_are_the_transcripts(result: processes.RunResult, folder: Path) -> None:
    for party in (RECSYS, CSP, USERS):
        records = list(read(folder / party / f"{party}.cborseq"))
        for direction, name in (("sent", "bytes_sent"), ("received", "bytes_received")):
            recorded = sum(len(r.message) for r in records if r.direction == direction)
            spent = sum(getattr(m, name) for m in result.measures if m.party == party)
            assert spent == recorded


@pytest.mark.req("PPMF-WRK-010")
def test_matrices_lie_in_files_only_as_long_as_a_run(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    matrices = tmp_path / "matrices"
    found = processes.train(
        RATINGS,
        Parameters(rank=2, iterations=1),
        suite="rlwe-64-insecure",
        matrices=matrices,
        progress=lambda _: seen.append([path.name for path in matrices.iterdir()]),
    )
    assert found.profiles == fixed.train(RATINGS, Parameters(rank=2, iterations=1))
    assert not any(seen)
    assert not matrices.exists()
    assert all(one.server.most_memory > 1 << 20 for one in found.health.values())
    with pytest.raises(ParametersError, match=f"suite {SUITE}: its encrypted matrices lie in mem"):
        processes.train(RATINGS, PARAMETERS, suite=SUITE, matrices=matrices)


@pytest.mark.req("PPMF-ERR-004")
def test_a_running_training_cannot_be_resumed(tmp_path: Path) -> None:
    def resume_too(_: Progress) -> None:
        with pytest.raises(StateError, match="the run that keeps its checkpoints here goes on"):
            processes.resume(tmp_path)

    found = processes.train(
        RATINGS, PARAMETERS, suite=SUITE, checkpoints=tmp_path, progress=resume_too
    )
    assert found.profiles == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-ERR-004")
def test_nothing_to_resume_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="nothing to resume from"):
        processes.resume(tmp_path)


def test_an_unknown_suite_is_refused_before_any_process_starts() -> None:
    with pytest.raises(ParametersError, match="rot13"):
        processes.train(RATINGS, PARAMETERS, suite="rot13")


@pytest.mark.req("PPMF-ERR-005")
def test_the_error_of_the_server_that_stops_first_is_raised(tmp_path: Path) -> None:
    """CSP's checkpoint folder is damaged: its own error is raised, not RecSys' `disappeared`."""
    processes.train(RATINGS, PARAMETERS, suite=SUITE, checkpoints=tmp_path)
    (tmp_path / CSP / "ratings.state").write_bytes(b"\xff")
    with pytest.raises(Exception, match="csp: ratings.state: damaged") as caught:
        processes.resume(tmp_path)
    assert not isinstance(caught.value, PeerError)


@pytest.mark.req("PPMF-ERR-005", "PPMF-ERR-007", "PPMF-RES-001", "PPMF-RES-009")
def test_a_killed_server_is_named_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    def kill_csp(progress: Progress) -> None:
        if progress.phase == "updates" and progress.done == 2:
            for process in multiprocessing.active_children():
                if process.name == CSP:
                    process.kill()

    with pytest.raises(PeerError, match="csp stopped, exit status -9"):
        processes.train(RATINGS, PARAMETERS, suite=SUITE, checkpoints=tmp_path, progress=kill_csp)
    assert processes.resume(tmp_path).profiles == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-ERR-006")
def test_an_error_of_the_users_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left waiting for an upload, and the error is the users' own."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a rating of 4.5")

    monkeypatch.setattr(processes, "user_rows", lambda ratings: map(broken, ratings.users))
    broke = "users: stopped on ZeroDivisionError at test_processes.py"
    with pytest.raises(PeerError, match=broke) as caught:
        processes.train(RATINGS, PARAMETERS, suite=SUITE)
    assert "4.5" not in str(caught.value)


@pytest.mark.req("PPMF-RES-011")
@pytest.mark.parametrize("party", [USERS, RECSYS, CSP])
def test_a_folder_that_others_may_read_ends_the_run(
    party: Role, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / party).mkdir()
    (tmp_path / party).chmod(0o755)
    with pytest.raises(StateError, match=str(tmp_path / party)):
        processes.train(RATINGS, PARAMETERS, suite=SUITE, transcripts=tmp_path)
    assert "Traceback" not in capfd.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The folder of checkpoints has a folder in the place of a file."""
    (tmp_path / CSP / "ratings.state" / "in the way").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / CSP):
        folder.chmod(0o700)
    with pytest.raises(PeerError, match=r"^csp: .*ratings\.state: Is a directory$"):
        processes.train(RATINGS, PARAMETERS, suite=SUITE, checkpoints=tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk at hand")
def test_a_transcript_on_a_full_disk_is_named() -> None:
    recorder = Recorder(None, CSP)
    with FileIO("/dev/full", "wb") as recorder._file, pytest.raises(OSError, match="No space") as e:
        Account(CSP, recorder).sent(RECSYS, [b"message"])
    assert server_process.stop_text(e.value) == "the transcript: No space left on device"


@pytest.mark.req("PPMF-SES-010", "PPMF-SES-011")
def test_every_run_has_nonces_and_a_sealing_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    class StopHereError(Exception):
        pass

    def refuse(one: Session, *_: object) -> None:
        drawn.extend((one.proposal.nonce, one.acceptance.nonce, one.sealing_key))
        raise StopHereError

    monkeypatch.setattr(processes, "_Run", refuse)
    for _ in range(3):
        with pytest.raises(StopHereError):
            processes.train(ratings_of(1, 1, {}), Parameters(rank=1), suite="paillier-512-insecure")
    assert len(set(drawn)) == 9
