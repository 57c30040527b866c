# SPDX-License-Identifier: Apache-2.0
"""The suite as a pytest plugin: `pytest -p ppmf_conformance.pytest_plugin --ppmf-target CMD`.

Every case is a test of its own name. A case of a feature that is not declared is skipped; a known
failure is marked xfail, strictly.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ppmf_conformance import cases, known_failures
from ppmf_conformance.deadline import Deadlines, checked
from ppmf_conformance.results import Outcome, reproduction
from ppmf_conformance.runner import Conversation, Plan


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("ppmf", "conformance of an implementation of ppmf")
    group.addoption("--ppmf-target", metavar="CMD", help="the adapter to ask, as one shell word")
    group.addoption("--ppmf-only", metavar="GLOB", action="append", default=[])
    group.addoption("--ppmf-known-failures", metavar="FILE", type=Path)
    group.addoption("--ppmf-deadline", metavar="SECONDS", type=_seconds, default=30.0)


def _seconds(text: str) -> float:
    """The deadline of the option; argparse makes its usage error of the ValueError."""
    return checked(float(text))


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each case, after all others."""
    target = config.getoption("--ppmf-target")
    if not target:
        return
    path = config.getoption("--ppmf-known-failures")
    plan = Plan(
        tuple(shlex.split(target)),
        cases.shipped().pick(config.getoption("--ppmf-only")),
        known_failures.read(path) if path else (),
        Deadlines(call=config.getoption("--ppmf-deadline")),
    )
    collector = Cases.from_parent(session, name="ppmf", nodeid="ppmf", plan=plan)
    items.extend(collector.collect())


class Cases(pytest.Collector):
    """All cases of a plan, and the one conversation that they share."""

    def __init__(self, plan: Plan, **more: Any) -> None:
        super().__init__(**more)
        self.plan = plan
        self._conversation: Conversation | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each case."""
        for case in self.plan.cases:
            item: CaseItem = CaseItem.from_parent(self, name=case.id, case=case)
            reason = known_failures.reason(case.id, self.plan.known)
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
            yield item

    def conversation(self) -> Conversation:
        """The conversation, which is opened when it is first needed."""
        if self._conversation is None:
            self._conversation = Conversation(self.plan)
            if self._conversation.open() is None:
                # One test that fails says it; a thousand would say no more.
                self.session.shouldstop = self._conversation.refusal
            self.session.config.add_cleanup(self._conversation.close)
        return self._conversation


class CaseFailedError(Exception):
    """A case that was not answered as it should be."""


class CaseItem(pytest.Item):
    """One case as a test."""

    def __init__(self, case: cases.Case, **more: Any) -> None:
        super().__init__(**more)
        self.case = case

    def runtest(self) -> None:
        """Ask, and fail unless the answer is right."""
        parent = self.parent
        assert isinstance(parent, Cases)
        outcome, detail = parent.conversation().ask(self.case)
        if outcome is Outcome.UNDECLARED:
            pytest.skip("not declared")
        if outcome is not Outcome.PASS:
            lines = [
                f"{outcome.value}: {detail}",
                f"{', '.join(self.case.requirements)}: {self.case.comment}",
                reproduction(self.case.id, parent.plan.command),
            ]
            raise CaseFailedError("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The lines of a failed case, without a trace."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The place of the test, for pytest."""
        return self.path, None, self.case.id
