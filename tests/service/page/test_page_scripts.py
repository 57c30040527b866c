# SPDX-License-Identifier: Apache-2.0
"""The page's scripts in Node, without a browser: `*_test.mjs` beside this file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.invitations import Invitation, csp_halves, recsys_halves, whole_link
from tests.support.page_scripts import run_script

PAGE = "http://127.0.0.1:8443"


def invitation() -> Invitation:
    coins = Coins.system()
    (recsys,) = recsys_halves(["A B"], coins, PAGE, "https://csp.example/x")
    (csp,) = csp_halves(["A B"], coins, bytes(32))
    return Invitation(recsys, csp)


@pytest.mark.req("PPMF-API-018", "PPMF-PAGE-001", "PPMF-PAGE-005")
def test_the_client_uses_no_serial_for_two_things(tmp_path: Path) -> None:
    run_script("client_test.mjs", tmp_path)


@pytest.mark.req("PPMF-PAGE-002", "PPMF-PAGE-006", "PPMF-ENR-010")
def test_the_parts_of_the_page(tmp_path: Path) -> None:
    """The link that `ppmf up` prints, among others."""
    one, other = invitation(), invitation()
    given = {
        "recsys": one.recsys.text(),
        "csp": one.csp.text(),
        "link": whole_link(PAGE, one),
        "other": whole_link(PAGE, other),
    }
    run_script("parts_test.mjs", tmp_path, given)


@pytest.mark.req("PPMF-PAGE-003", "PPMF-PAGE-007")
def test_the_scripts_around_the_modules(tmp_path: Path) -> None:
    run_script("scripts_test.mjs", tmp_path)
