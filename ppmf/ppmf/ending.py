# SPDX-License-Identifier: Apache-2.0
"""Signals that end a command, which then ends all that it started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGTERM", "SIGHUP")  # Python itself raises KeyboardInterrupt for SIGINT


class EndedError(BaseException):
    """A signal that ends this process has come; no handler of errors may take it for one."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status by which a shell knows the signal."""
        return 128 + self.number


@contextmanager
def raised() -> Iterator[None]:
    """While the block runs, the signals raise EndedError, once: what runs then ends in order.

    A signal that is ignored (as `nohup` asks for) stays so. Without the main thread, which alone
    may set handlers, nothing is changed.
    """
    before: dict[signal.Signals, Any] = {}

    def end(number: int, _: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)  # the end that has begun is not interrupted
        raise EndedError(signal.Signals(number))

    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            one = getattr(signal, name, None)
            if one is not None and signal.getsignal(one) is signal.SIG_DFL:
                before[one] = signal.signal(one, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
