# SPDX-License-Identifier: Apache-2.0
"""The page's scripts in Node, without a browser: `*_test.mjs` beside this file."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ppmf_reference import ridge
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import set_up
from ppmf_secure.session.enrolment import write_code
from ppmf_secure.session.invitations import Invitation, csp_halves, recsys_halves, whole_link
from ppmf_spec import profiles
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from tests.support.page_scripts import run_script
from tests.support.sessions import POINTS, SEALING, session_of, signed

PAGE = "http://127.0.0.1:8443"


def invitation() -> Invitation:
    coins = Coins.system()
    (recsys,) = recsys_halves(["A B"], coins, PAGE, "https://csp.example/x")
    (csp,) = csp_halves(["A B"], coins, bytes(32))
    return Invitation(recsys, csp)


@pytest.mark.req("PPMF-API-018", "PPMF-API-023", "PPMF-PAGE-001", "PPMF-PAGE-005")
def test_the_client_uses_no_serial_for_two_things(tmp_path: Path) -> None:
    run_script("client_test.mjs", tmp_path)


@pytest.mark.req("PPMF-PAGE-002", "PPMF-PAGE-006", "PPMF-PAGE-010", "PPMF-ENR-010")
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


@pytest.mark.req("PPMF-API-017", "PPMF-RDG-007", "PPMF-RDG-008")
def test_the_thread_that_computes(tmp_path: Path) -> None:
    """Sessions that are not those of the invitation, and recommendations as the oracle has them."""
    params, items = Parameters(rank=3, iterations=1), ("1", "2", "5", "7", "11", "12", "30")
    urls, expires = (PAGE, "https://csp.example/x"), 2_000_000_000
    session = session_of(
        params, ("A B", "C"), items, "rlwe-64-insecure", addresses=urls, expires=expires
    )
    random = np.random.default_rng(5)
    bias = random.integers(-80, 80, len(items))
    found = ItemProfiles.of(items, random.integers(-300, 300, (len(items), 3)), bias, params)
    other = ItemProfiles.of(items[1:], found.factors[1:], bias[1:], params)
    rated = {0: Fraction(9, 2), 2: Fraction(1, 2), 3: Fraction(3)}
    own = ridge.profile(rated, found)
    best = ridge.top_n(own, found, set(rated), 4)
    near = ridge.similar(found, 0, 3)
    run_script(
        "worker_test.mjs",
        tmp_path,
        {
            "id": session.id.hex(),
            "session": set_up.write(signed(session)).hex(),
            "row": 0,
            "items": items,
            "expires": expires,
            "secret": SEALING.secret_bytes().hex(),
            "code": write_code(bytes(16)),
            "invitation": {
                "user": "A B",
                "key": hashlib.sha256(POINTS["csp"]).hexdigest(),
                "recsys": urls[0],
                "csp": urls[1],
            },
            "ratings": [
                [items[row], str(float(value)).removesuffix(".0")] for row, value in rated.items()
            ],
            "profiles": profiles.dumps(found),
            "otherProfiles": profiles.dumps(other),
            "oracle": {
                "top": [[items[one.row], float(ridge.clip(one.rating, found))] for one in best],
                "similar": [items[one.row] for one in near],
            },
        },
    )
