# SPDX-License-Identifier: Apache-2.0
"""Seconds and memory of refusing attacks with hostile bytes and damaged disks.

    python benchmarks/bench_attacks.py [--markdown]

Prints for each attack the milliseconds until it is refused, the most memory that Python allocated
for that, beside what the attacker made, and the end of the refusal's line. Asserts nothing about
time; tests/security/test_attacks.py counts the work.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import transcript
from ppmf_secure.session.kept_files import Keeper
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport import processes
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import Account
from ppmf_spec import strict_cbor, wire
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

TAG_30 = b"\xd8\x1e\x82" + 2 * (b"\xc2\x5a\x00\x06\x1a\x80" + b"\xff" * 400_000)
KEYS = b"\xb9\xea\x60" + b"".join(
    strict_cbor.encode(k * (2**61 - 1) % 2**64) + b"\x00" for k in range(60_000)
)
NESTED = b"\x81" * 20_000_000

Attack = Callable[[Path], Callable[[], object]]
"""Prepares the attack in an empty folder; what it returns is measured."""


def decoded(data: bytes) -> Attack:
    """A message of these bytes."""
    return lambda _: lambda: wire.decode(data)


def recorded(folder: Path) -> Callable[[], object]:
    """A transcript of nested arrays."""
    path = folder / "csp.cborseq"
    path.write_bytes(NESTED)
    return lambda: list(transcript.read(path))


def too_long(sender: Role) -> Attack:
    """A message of 100 MB through a pipe, of which 1,000 bytes are due at most."""
    part = bytes(100_000)

    def prepare(_: Path) -> Callable[[], object]:
        mine, theirs = multiprocessing.Pipe()

        def write() -> None:
            with suppress(OSError):
                os.write(theirs.fileno(), (1000 * len(part)).to_bytes(8, "little"))
                for _ in range(1000):
                    left = memoryview(part)
                    while left:
                        left = left[os.write(theirs.fileno(), left) :]

        threading.Thread(target=write, daemon=True).start()

        def receive() -> object:
            with PipeEnds(Account(RECSYS), {sender: mine}) as ends:
                try:
                    return ends.get(sender, 1000)
                finally:
                    mine.close()

        return receive

    return prepare


def flipped(folder: Path) -> Callable[[], object]:
    """A checkpoint of 25 MB with one bit flipped."""
    keeper, path = Keeper(Coins.system().bytes(32), bytes(32), CSP), folder / "model-1.state"
    path.write_bytes(keeper.write(path.stem, bytes(25_000_000)))
    with path.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\x04")
    return lambda: keeper.read(path.stem, path.read_bytes(), path.name)


def linked(folder: Path) -> Callable[[], object]:
    """A folder of transcripts that somebody made a link."""
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "transcripts").symlink_to(folder / "elsewhere")
    return lambda: Recorder(folder / "transcripts", CSP)


def opened(folder: Path) -> Callable[[], object]:
    """A folder of checkpoints that others may read."""
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints").chmod(0o755)
    return lambda: private_folder(folder / "checkpoints")


def spelt(_: Path) -> Callable[[], object]:
    """A message whose name is a megabyte of control characters."""
    data = strict_cbor.encode(["\x1b[2J" * 250_000, bytes(32), 0, 0])
    return lambda: wire.decode(data)


def repeated(_: Path) -> Callable[[], object]:
    """The same message a second time."""
    link = wire.Link(bytes(32), 0, CSP, RECSYS)
    data = wire.encode(wire.Envelope(bytes(32), 0, 0, wire.BaseAnswer(bytes(33))))
    link.decode(data, wire.BaseAnswer)
    return lambda: link.decode(data, wire.BaseAnswer)


def forked(_: Path) -> Callable[[], object]:
    """Coins that are used on in a forked child."""
    coins = Coins.system()

    def fork() -> object:
        child = os.fork()
        if not child:
            try:
                coins.bytes(1)
            except PpmfError:
                os._exit(1)
            os._exit(0)
        refused = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return "state: in the child" if refused else "went on"

    return fork


ATTACKS: dict[str, Attack] = {
    "tag 30 on two bignums, 800 kB": decoded(TAG_30),
    "a map of 60,000 keys that collide": decoded(KEYS),
    "arrays in arrays, 20 MB": decoded(NESTED),
    "the same as a transcript": recorded,
    "100 MB from a server where 1 kB is due": too_long(CSP),
    "100 MB from a user where 1 kB is due": too_long(USERS),
    "a flipped bit in a checkpoint of 25 MB": flipped,
    "a link in the place of a folder": linked,
    "a folder that others may read": opened,
    "a name of 1 MB of control characters": spelt,
    "a duplicate": repeated,
    "coins in a forked child": forked,
}


def measured(attack: Attack) -> tuple[str, float, float]:
    """What came of an attack, its seconds, and the most bytes that it took."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        outcome, seconds = outcome_of(attack(Path(first)))
        again = attack(Path(second))
        tracemalloc.start()  # which makes it slower
        outcome_of(again)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return outcome, seconds, memory


def outcome_of(attack: Callable[[], object]) -> tuple[str, float]:
    """What came of an attack, and its seconds."""
    started = time.perf_counter()
    try:
        outcome = str(attack())
    except PpmfError as refusal:
        outcome = f"{refusal.kind}: {str(refusal).rpartition(': ')[2][:60]}"
    return outcome, time.perf_counter() - started


TRAINING = """
import sys
from pathlib import Path
from ppmf_secure.transport import processes
from ppmf_spec.parameters import Parameters
from tests.support.ratings import ratings_of
ratings = ratings_of(9, 8, {(i, j): 1 for i in range(9) for j in range(8)})
params = Parameters(rank=4, iterations=400)
folder = Path(sys.argv[1])
processes.train(ratings, params, suite="paillier-1024-insecure", checkpoints=folder)
"""


def killed_parent() -> tuple[float, str]:
    """Seconds from the killing of a training until its servers are gone; and what a resumption
    beside the running servers was told.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        parent = subprocess.Popen([sys.executable, "-c", TRAINING, str(folder)])
        kept = [folder / role / "ratings.state" for role in (RECSYS, CSP)]
        while not all(path.is_file() for path in kept):
            time.sleep(0.05)
        try:
            processes.resume(folder)
            told = "went on"
        except PpmfError as refusal:
            told = f"{refusal.kind}: {str(refusal).rpartition(': ')[2]}"
        servers = set(Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split())
        started = time.perf_counter()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        while any(alive(int(server)) for server in servers):
            time.sleep(0.01)
        return time.perf_counter() - started, told


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def main() -> None:
    """Try each attack, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    row = "| {} | {} | {} | {} |" if options.markdown else "{:42} {:>8} {:>10}  {}"
    print(row.format("attack", "ms", "MB", "what came of it"))
    if options.markdown:
        print("|---|---|---|---|")
    for name, attack in ATTACKS.items():
        outcome, seconds, memory = measured(attack)
        print(row.format(name, f"{1000 * seconds:.2f}", f"{memory / 1e6:.3f}", outcome))
    seconds, told = killed_parent()
    print(row.format("resuming beside running servers", "", "", told))
    print(
        row.format("killing the parent of two servers", f"{1000 * seconds:.0f}", "", "both ended")
    )


if __name__ == "__main__":
    main()
