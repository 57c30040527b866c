# SPDX-License-Identifier: Apache-2.0
"""`import ppmf`: the names it promises, each from the package that does the work.

What comes of a name whose extra is not installed is seen in tests/repo/test_light_installation.py.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import ppmf
import ppmf_audit
from ppmf.estimator import PrivateMF
from ppmf.reading import read_ratings
from ppmf_reference import fixed, ratings_from
from ppmf_secure.transport import processes
from ppmf_spec import profiles, ratings
from ppmf_spec.errors import PpmfError
from ppmf_spec.extras import MissingExtraError
from ppmf_spec.parameters import Parameters

EXPECTED = {
    "ItemProfiles": profiles.ItemProfiles,
    "MissingExtraError": MissingExtraError,
    "Parameters": Parameters,
    "PpmfError": PpmfError,
    "PrivateMF": PrivateMF,
    "Ratings": ratings.Ratings,
    "audit": ppmf_audit.audit,
    "quantise": ratings.quantise,
    "ratings_from": ratings_from,
    "read_profiles": profiles.read,
    "read_ratings": read_ratings,
    "train_fixed": fixed.train,
    "train_secure": processes.train,
    "write_profiles": profiles.write,
}


def test_every_name_is_what_it_says() -> None:
    assert {name: getattr(ppmf, name) for name in ppmf.__all__} == EXPECTED
    assert set(ppmf.__all__) <= set(dir(ppmf))


def test_a_type_checker_is_told_the_same() -> None:
    """The names for type checkers are written a second time, as imports that never run."""
    tree = ast.parse(Path(ppmf.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname or alias.name: getattr(import_module(line.module or ""), alias.name)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert told == {
        name: found
        for name, found in EXPECTED.items()
        if name not in ("MissingExtraError", "PpmfError")
    }


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="module 'ppmf' has no attribute 'train'"):
        _ = ppmf.train  # type: ignore[attr-defined]
