# SPDX-License-Identifier: Apache-2.0
"""The implementation under test, as a process with which the suite exchanges lines.

The process may end, hang, never read, never answer, or write what is no line of the protocol. Each
of these is an exception here, and the suite goes on; the process is then ended together with all
processes that it started.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from ppmf_conformance import line_protocol
from ppmf_conformance.deadline import Deadline, Deadlines
from ppmf_conformance.line_protocol import Answer, Hello, ProtocolError
from ppmf_conformance.visible_text import visible

_STDERR_KEPT = 4096


class CrashError(Exception):
    """The process ended, or closed its output, before it answered."""


class HangError(Exception):
    """The process did not answer within the deadline."""


class AdapterProcess:
    """A running adapter. `hello` is called once, before any other call.

    more: the seconds that a call may take beyond the deadline.
    """

    def __init__(self, command: Sequence[str], deadlines: Deadlines) -> None:
        """Start the process; OSError when there is no such program."""
        self.more = 0
        self._deadlines = deadlines
        self._seq = 0
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",  # so that its children can be ended with it
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr = b""
        self._threads = [
            _started(self._write, self._process.stdin),
            _started(self._read, self._process.stdout),
            _started(self._listen, self._process.stderr),
        ]

    def hello(self) -> Hello:
        """Introduce the suite. Raises CrashError, HangError or ProtocolError."""
        return line_protocol.parse_hello(
            self._ask(line_protocol.hello_line(), self._deadlines.hello)
        )

    def run(self, case_id: str, op: str, given: Mapping[str, Any]) -> Answer:
        """The answer to a call.

        Raises CrashError, HangError or ProtocolError, after which `close` is due.
        """
        self._seq += 1
        line = line_protocol.run_line(self._seq, case_id, op, given)
        return line_protocol.parse_answer(
            self._ask(line, self._deadlines.call + self.more), self._seq
        )

    def send(self, line: str) -> None:
        """Write a line as it is, without waiting for anything."""
        self._calls.put(line.encode("utf-8") + b"\n")

    def receive(self, deadline: Deadline) -> bytes:
        """The next line that the adapter wrote, without its end. Raises CrashError or HangError."""
        try:
            line = self._lines.get(timeout=deadline.left())
        except queue.Empty:
            raise HangError(f"no answer within {deadline.seconds:g} s{self._said()}") from None
        if not line:
            raise CrashError(self._how_it_ended())
        if len(line) > line_protocol.MAX_LINE:
            raise ProtocolError(f"a line of more than {line_protocol.MAX_LINE} bytes")
        if not line.endswith(b"\n"):
            raise CrashError(f"{self._how_it_ended()}, in the middle of a line")
        return line[:-1]

    def end_input(self, deadline: Deadline) -> int:
        """Close the adapter's input; returns its exit status, or raises HangError."""
        self._calls.put(None)
        try:
            return self._process.wait(timeout=deadline.left())
        except subprocess.TimeoutExpired:
            raise HangError(f"still there {deadline.seconds:g} s after its input ended") from None

    def close(self) -> None:
        """End the process and its children, whatever they are doing."""
        self._calls.put(None)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _ask(self, line: str, seconds: float) -> bytes:
        with contextlib.suppress(queue.Empty):
            early = self._lines.get_nowait()
            if not early:
                raise CrashError(self._how_it_ended())
            text = visible(early.decode("utf-8", "replace").strip())
            raise ProtocolError(f"a line that answers no call: {text}")
        deadline = Deadline(seconds)
        self.send(line)
        return self.receive(deadline)

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        self._threads[2].join(timeout=5)
        return f"ended with exit status {status}{self._said()}"

    def _said(self) -> str:
        """The last line of its standard error, if it wrote any."""
        last = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return f"; its last words: {last[-1][:200]}" if last else ""

    def _write(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (line := self._calls.get()) is not None:
                stream.write(line)
                stream.flush()
            stream.close()

    def _read(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(line_protocol.MAX_LINE + 2):
                self._lines.put(line)
        self._lines.put(b"")

    def _listen(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(stream.fileno(), _STDERR_KEPT):
                self._stderr = (self._stderr + piece)[-_STDERR_KEPT:]


def _started(work: Any, stream: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=work, args=(stream,), daemon=True)
    thread.start()
    return thread
