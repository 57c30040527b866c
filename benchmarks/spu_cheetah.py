# SPDX-License-Identifier: Apache-2.0
"""The same work in SecretFlow SPU's two-party protocol CHEETAH, for comparison.

Stands alone: SPU (PyPI `spu`) pins numpy 1.26, so the Python of an environment of its own runs this
file, which imports nothing of ppmf. `ppmf bench --spu PYTHON` or `--install-spu` does all that. By
hand, the request is JSON on standard input, the result JSON on standard output:

    echo '{"users": 943, "items": 1682, "rank": 10, "parts": ["product"]}' | PYTHON spu_cheetah.py

Two parties, each a process of its own, hold additive shares mod 2^64 (field FM64) of every input
and talk through SPU's own link (brpc) over the loopback interface. A third process, this one, deals
the shares, compiles the programs and puts the results together to check them; its time is not
counted. A part's seconds are those of the slower party's `Runtime.run`; its bytes are what SPU's
own link statistics say both parties sent. SPU chooses its number of threads itself: one a party on
two cores, which is what `ppmf train` uses too.

Parts:
    product    the half-step's matrix product on the users' side: the secret 0/1 matrix W (n x m)
               times the secret columns Phi (m x c), and the secret ratings R times their factors
               (m x rank); integers of 2f and f bits, exact, no truncation
    clamp      the clamping of the n (rank + 1) fixed-point coordinates of the users to the box: two
               comparisons and two selections each
    iteration  one whole PALM iteration, both half-steps: columns, products, reciprocals, gradients,
               moves, clamps
    training   `iterations` of them, one after the other, on the shares the last one left

The fixed point of SPU's FM64 is 18 fractional bits; its truncation and its reciprocal are
approximate, so the last two parts equal no specified function: they are compared with the same
formulas in float64, and the largest difference is reported. In SPU's favour: W and R stay integers,
so that their products need no truncation; the regulariser is the ridge alone.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import multiprocessing
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

PARTS = ("product", "clamp", "iteration", "training")

BOX = 2.0
"""Factors and biases stay within +-2, as under ppmf's default `box_bits`."""

RIDGE, DAMPING = 12.0, 16.0
"""ppmf's defaults."""

FRAC_BITS = 12
"""Of the integers in part `product`: ppmf's default `frac_bits`."""

_LINK = re.compile(r"Link details: total send bytes (\d+)")


@dataclass(frozen=True)
class Request:
    users: int
    items: int
    rank: int
    iterations: int = 1
    parts: tuple[str, ...] = PARTS
    density: float = 0.06
    """Rated pairs of all pairs; the time and the bytes do not depend on it."""

    @classmethod
    def read(cls, text: str) -> Request:
        """Parse the JSON request; ValueError names what is wrong."""
        values = json.loads(text)
        request = cls(**{**values, "parts": tuple(values.get("parts", PARTS))})
        unknown = set(request.parts) - set(PARTS)
        if unknown or min(request.users, request.items, request.rank, request.iterations) < 1:
            raise ValueError(f"parts are {', '.join(PARTS)}; sizes are at least 1")
        return request


# The parties


def party(rank: int, ports: list[int], control: Connection, log: Path) -> None:
    """A party's process: runs programs on its shares until it is told to stop.

    SPU's link statistics exist only as lines of its log, so standard output and error become `log`.
    """
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    from spu import api, libspu

    description = libspu.link.Desc()
    description.recv_timeout_ms = 24 * 3600 * 1000
    for number, port in enumerate(ports):
        description.add_party(f"party{number}", f"127.0.0.1:{port}")
    config = runtime_config()
    config.enable_pphlo_profile = True
    link = libspu.link.create_brpc(description, rank)
    runtime = api.Runtime(link, config)
    while (order := control.recv()) is not None:
        program, inputs = order
        executable = libspu.Executable()
        executable.ParseFromString(program)
        for name, share in inputs.items():
            runtime.set_var(name, share)
        seen = log.stat().st_size
        link.barrier()
        started = time.perf_counter()
        runtime.run(executable)
        seconds = time.perf_counter() - started
        sent = _LINK.findall(log.read_bytes()[seen:].decode(errors="replace"))
        if not sent:
            raise RuntimeError(f"no link statistics in SPU's log {log}")
        outputs = {name: runtime.get_var(name) for name in executable.output_names}
        control.send((seconds, int(sent[-1]), outputs))
    link.stop_link()


def runtime_config() -> Any:
    """CHEETAH over Z_2^64, everything else SPU's default."""
    from spu import libspu

    return libspu.RuntimeConfig(protocol=libspu.ProtocolKind.CHEETAH, field=libspu.FieldType.FM64)


@dataclass(frozen=True)
class Outcome:
    """Shares of the results by party, the slower party's seconds, the bytes both sent."""

    shares: list[dict[str, Any]]
    seconds: float
    bytes_sent: int


class Parties:
    """The two processes, seen from the dealer."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        ports = free_ports(2)
        self._ends: list[Connection] = []
        self._processes = []
        for rank in range(2):
            mine, theirs = context.Pipe()
            arguments = (rank, ports, theirs, folder / f"party{rank}.log")
            process = context.Process(target=party, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._ends.append(mine)
            self._processes.append(process)

    def run(self, program: bytes, inputs: list[dict[str, Any]]) -> Outcome:
        """Both parties run a program on their input shares, by party."""
        for end, shares in zip(self._ends, inputs, strict=True):
            end.send((program, shares))
        try:
            answers = [end.recv() for end in self._ends]
        except EOFError as error:
            raise RuntimeError("a party died; its log has the reason") from error
        return Outcome(
            [answer[2] for answer in answers],
            max(answer[0] for answer in answers),
            sum(answer[1] for answer in answers),
        )

    def close(self) -> None:
        """Let the parties end."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.send(None)
        for process in self._processes:
            process.join(timeout=10)
            if process.is_alive():
                process.terminate()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


# The dealer


class Dealer:
    """Compiles functions, deals secret inputs, runs, and opens results."""

    def __init__(self, parties: Parties) -> None:
        from spu import api

        self._parties = parties
        self._io = api.Io(2, runtime_config())

    def deal(self, values: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """Shares of every array, by party."""
        from spu import libspu

        shares = {
            name: self._io.make_shares(value, libspu.Visibility.VIS_SECRET)
            for name, value in values.items()
        }
        return [{name: both[rank] for name, both in shares.items()} for rank in range(2)]

    def compile(self, function: Callable[..., Any], values: Mapping[str, np.ndarray]) -> bytes:
        """SPU's program for `function` of secret arrays of these shapes; outputs out0, out1, ..."""
        from spu import libspu
        from spu.utils import frontend

        executable, _ = frontend.compile(
            frontend.Kind.JAX,
            function,
            tuple(values.values()),
            {},
            list(values),
            [libspu.Visibility.VIS_SECRET] * len(values),
            lambda flat: [f"out{number}" for number in range(len(flat))],
        )
        return bytes(executable.SerializeToString())

    def run(self, program: bytes, inputs: list[dict[str, Any]]) -> Outcome:
        """Run a program on dealt inputs."""
        return self._parties.run(program, inputs)

    def open(self, outcome: Outcome) -> list[np.ndarray]:
        """The results in the clear."""
        first, second = outcome.shares
        return [np.asarray(self._io.reconstruct([first[name], second[name]])) for name in first]


# The work


def columns_of(y: Any, rank: int, stack: Callable[..., Any]) -> Any:
    """The columns that W multiplies, from y (m, rank + 1): products, those with the bias, y."""
    products = [y[:, k] * y[:, l] for k in range(rank) for l in range(k, rank + 1)]
    linear = [y[:, k] for k in range(rank + 1)]
    return stack([*products, *linear], axis=1)


def half_step(x: Any, y: Any, W: Any, R: Any, rank: int, xp: Any) -> Any:
    """One half-step with `lipschitz` steps on x (n, rank + 1), y (m, rank + 1) fixed.

    `xp` is jax.numpy on SPU, numpy for the check. R holds twice the shifted ratings.
    """
    S = W @ columns_of(y, rank, xp.stack)
    B = 0.5 * (R @ y[:, :rank])
    counts, sums = W.sum(axis=1), 0.5 * R.sum(axis=1)
    pairs = [(k, l) for k in range(rank) for l in range(k, rank + 1)]
    place = {pair: number for number, pair in enumerate(pairs)}

    def product(k: int, l: int) -> Any:
        return S[:, place[min(k, l), max(k, l)]]

    linear = S[:, len(pairs) :]
    gram = [[product(k, l) for l in range(rank)] for k in range(rank)]
    flat = [entry for row in gram for entry in row]
    matrix = xp.stack(flat, axis=1).reshape(-1, rank, rank)
    squares = sum(gram[k][k] for k in range(rank))
    factors, bias = x[:, :rank], x[:, rank]
    # e = <x, y> + bias + bias_y - r; the gradient by coordinate, the ridge added
    with_bias = xp.stack([product(k, rank) for k in range(rank)], axis=1)
    gradient = (matrix * factors[:, None, :]).sum(axis=2) + linear[:, :rank] * bias[:, None]
    gradient = gradient + with_bias - B + RIDGE * factors
    of_bias = (linear[:, :rank] * factors).sum(axis=1) + counts * bias + linear[:, rank]
    of_bias = of_bias - sums + RIDGE * bias
    step, bias_step = 1.0 / (squares + DAMPING), 1.0 / (counts + DAMPING)
    moved = [factors - step[:, None] * gradient, (bias - bias_step * of_bias)[:, None]]
    return clamp(xp.concatenate(moved, axis=1), xp)


def clamp(x: Any, xp: Any) -> Any:
    """Into the box."""
    return xp.clip(x, -BOX, BOX - 2.0**-FRAC_BITS)


def iteration(W: Any, R: Any, U: Any, V: Any, rank: int, xp: Any) -> tuple[Any, Any]:
    """Both half-steps: the new U, the new V."""
    U = half_step(U, V, W, R, rank, xp)
    return U, half_step(V, U, W.T, R.T, rank, xp)


class Work:
    """Random inputs of the size asked for, and the parts."""

    def __init__(self, request: Request, dealer: Dealer) -> None:
        self._request = request
        self._dealer = dealer
        random = np.random.default_rng(20180514)
        n, m, size = request.users, request.items, request.rank + 1
        self._W = (random.random((n, m)) < request.density).astype(np.int64)
        self._R = self._W * random.integers(-5, 5, (n, m))
        self._U = random.uniform(-0.5, 0.5, (n, size))
        self._V = random.uniform(-0.5, 0.5, (m, size))

    def warm_up(self) -> Iterator[dict[str, Any]]:
        """An iteration of toy size: what SPU sets up once, keys and base transfers above all."""
        import jax.numpy as jnp

        W, R = self._W[:4, :3], self._R[:4, :3]
        values = {"W": W, "R": R, "U": self._U[:4, :3], "V": self._V[:3, :3]}

        def function(W: Any, R: Any, U: Any, V: Any) -> Any:
            return iteration(W, R, U, V, values["U"].shape[1] - 1, jnp)

        U, V = values["U"], values["V"]
        expected = iteration(W, R, U, V, U.shape[1] - 1, np)
        yield self._measure("set-up", function, values, list(expected))

    def product(self) -> Iterator[dict[str, Any]]:
        """W Phi, then R Y."""
        rank = self._request.rank
        scaled = np.rint(self._V * (1 << FRAC_BITS)).astype(np.int64)
        wide = columns_of(scaled, rank, np.stack)
        for name, left, right in (
            ("product W Phi", self._W, wide),
            ("product R Y", self._R, scaled[:, :rank]),
        ):
            values = {"left": left, "right": right}
            yield self._measure(name, lambda left, right: left @ right, values, [left @ right])

    def clamp(self) -> Iterator[dict[str, Any]]:
        """The box, for the users' coordinates."""
        import jax.numpy as jnp

        values = {"x": 6 * self._U}
        yield self._measure("clamp", lambda x: clamp(x, jnp), values, [clamp(6 * self._U, np)])

    def iteration(self) -> Iterator[dict[str, Any]]:
        """One iteration."""
        yield self._train("iteration", 1)

    def training(self) -> Iterator[dict[str, Any]]:
        """All iterations."""
        yield self._train("training", self._request.iterations)

    def _measure(
        self,
        name: str,
        function: Callable[..., Any],
        values: Mapping[str, np.ndarray],
        expected: list[np.ndarray],
    ) -> dict[str, Any]:
        outcome = self._dealer.run(
            self._dealer.compile(function, values), self._dealer.deal(values)
        )
        return _entry(name, outcome.seconds, outcome.bytes_sent, self._error(outcome, expected))

    def _train(self, name: str, iterations: int) -> dict[str, Any]:
        import jax.numpy as jnp

        rank = self._request.rank
        values = {"W": self._W, "R": self._R, "U": self._U, "V": self._V}

        def function(W: Any, R: Any, U: Any, V: Any) -> Any:
            return iteration(W, R, U, V, rank, jnp)

        program = self._dealer.compile(function, values)
        inputs = self._dealer.deal(values)
        U, V = self._U, self._V
        seconds, sent, error = 0.0, 0, 0.0
        for number in range(iterations):
            outcome = self._dealer.run(program, inputs)
            seconds, sent = seconds + outcome.seconds, sent + outcome.bytes_sent
            inputs = [{"U": new["out0"], "V": new["out1"]} for new in outcome.shares]
            U, V = iteration(self._W, self._R, U, V, rank, np)
            error = self._error(outcome, [U, V])
            _say(f"{name}: {number + 1} of {iterations}, {seconds:.1f} s")
        return _entry(name, seconds, sent, error)

    def _error(self, outcome: Outcome, expected: list[np.ndarray]) -> float:
        results = self._dealer.open(outcome)
        return max(
            float(np.abs(have - want).max()) for have, want in zip(results, expected, strict=True)
        )


def _entry(name: str, seconds: float, bytes_sent: int, error: float) -> dict[str, Any]:
    _say(f"{name}: {seconds:.2f} s, {bytes_sent / 1e6:.1f} MB, largest difference {error:.3g}")
    return {
        "part": name,
        "seconds": seconds,
        "bytes_sent": bytes_sent,
        "largest_difference": error,
    }


def _say(line: str) -> None:
    print(f"spu: {line}", file=sys.stderr, flush=True)


def measure(request: Request) -> dict[str, Any]:
    """Run the parts asked for, one after the other."""
    import jax

    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory(prefix="spu-cheetah-") as folder:
        parties = Parties(Path(folder))
        try:
            work = Work(request, Dealer(parties))
            done = list(work.warm_up())
            for part in request.parts:
                _say(f"{part} begins")
                done += getattr(work, part)()
        finally:
            parties.close()
    return {
        "format": "ppmf-spu-result/1",
        "spu": importlib.metadata.version("spu"),
        "protocol": "CHEETAH",
        "field": "FM64",
        "users": request.users,
        "items": request.items,
        "rank": request.rank,
        "iterations": request.iterations,
        "parts": done,
    }


def main() -> None:
    """Answer the request on standard input."""
    # SPU's own lines go wherever standard output goes: the result alone belongs there
    answer = os.dup(1)
    os.dup2(2, 1)
    result = measure(Request.read(sys.stdin.read()))
    with open(answer, "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
