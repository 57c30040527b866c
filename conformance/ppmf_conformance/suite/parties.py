# SPDX-License-Identifier: Apache-2.0
"""Cases of whole runs."""
from __future__ import annotations
from ppmf_conformance.suite.cases import Case
from ppmf_conformance.suite.results import Outcome
from ppmf_conformance.suite.target import Target
def has(case: Case) -> bool:
    return False
def roles(case: Case) -> frozenset[str]:
    return frozenset()
def play(case: Case, target: Target) -> tuple[Outcome, str]:
    raise NotImplementedError
