# SPDX-License-Identifier: Apache-2.0
"""The outputs a layout names, on which the statistical hiding of products rests, are all there are.

Masks and floods are as wide as a union bound over `Layout.outputs` asks, the numbers decrypted
under one key. Here they are counted.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.interface import Layout, Uses
from ppmf_spec.parameters import Parameters
from tests.support.ideal import IdealOwner, ideal_suite
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

PARAMETERS = Parameters(rank=2, iterations=3)


@pytest.mark.req("PPMF-PRD-002")
@pytest.mark.parametrize("sizes", [(2, 5), (5, 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_no_key_decrypts_more_than_its_layouts_say(
    sizes: tuple[int, int], bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor less than half of it: the bound is no empty one."""
    seen: dict[IdealOwner, tuple[set[int], list[int]]] = {}
    decrypt = IdealOwner.decrypt

    def counting(self: IdealOwner, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        shares = decrypt(self, answer, layout, uses)
        named, counts = seen.setdefault(self, (set(), []))
        named.add(layout.outputs)
        counts += [share.size for share in shares]
        return shares

    monkeypatch.setattr(IdealOwner, "decrypt", counting)
    users, items = sizes
    ratings = ratings_of(users, items, {(0, 0): 1, (1, 1): -1})
    run_toy(ratings, replace(PARAMETERS, bias=bias), ideal_suite())
    assert len(seen) == 2, "a key of each server"
    for named, counts in seen.values():
        (outputs,) = named
        assert 0 < sum(counts) <= outputs <= 2 * sum(counts)
