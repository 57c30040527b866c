# SPDX-License-Identifier: Apache-2.0
"""Workers that are asked everything twice, as after the loss of one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppmf_secure.primitives.workers import Answer, Call, OneProcess


def as_sent(value: Any) -> bytes:
    """The bytes of a value as it travels."""
    return pickle.dumps(value, protocol=5)


class AskedTwice(OneProcess):
    """Workers in this process. A question is asked twice, of which once as bytes that have
    travelled, and must be answered alike.

    questions: all of them. most: the most that were under way at once.
    """

    def __init__(self, shards: int, folder: Path) -> None:
        super().__init__(shards, folder)
        self.questions: list[Call] = []
        self.most = self.under_way = 0

    def _answer(self, call: Call) -> Any:
        first, second = as_sent(pickle.loads(as_sent(call))()), as_sent(call())
        assert first == second
        return pickle.loads(second)

    def ask(self, call: Call) -> Answer:
        """The answer, which is under way until somebody gets it."""
        self.questions.append(call)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return _Under(self, self._answer(call))

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        """The results, one after the other."""
        return (self.ask(task).get() for task in tasks)

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        """The answers, one after the other."""
        twice = zip(super().multiply(questions), super().multiply(questions), strict=True)
        for first, second in twice:
            assert as_sent(first) == as_sent(second)
            yield second


class _Under(Answer):
    def __init__(self, workers: AskedTwice, value: Any) -> None:
        self._workers, self._value = workers, value

    def get(self) -> Any:
        """The answer, which is not under way any more."""
        self._workers.under_way -= 1
        return self._value
