# SPDX-License-Identifier: Apache-2.0
"""A missing package of an extra becomes one line; what else fails to be imported is a fault."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from ppmf_spec.extras import EXTRA_OF, MissingExtraError, needed_by


@pytest.mark.parametrize(("package", "extra"), EXTRA_OF.items())
def test_the_line_names_what_is_missing_and_how_to_have_it(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtraError) as caught, needed_by("`ppmf train`"):
        import_module(package)
    assert str(caught.value) == (
        f"`ppmf train` needs {package}, which is not installed: pip install 'ppmf[{extra}]'"
    )
    assert caught.value.name == package
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_module_within_a_missing_package_is_that_package() -> None:
    line = "a figure needs matplotlib, which is not installed"
    with pytest.raises(MissingExtraError, match=line), needed_by("a figure"):
        raise ModuleNotFoundError(name="matplotlib.axes")


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError(name="ppmf_secure.no_such_module"),
        ModuleNotFoundError("of no name"),
        ImportError("cannot import name 'x'", name="phe"),
    ],
    ids=repr,
)
def test_any_other_failure_passes_as_it_is(error: ImportError) -> None:
    with pytest.raises(ImportError) as caught, needed_by("anything"):
        raise error
    assert caught.value is error


def test_nothing_happens_where_all_is_installed() -> None:
    with needed_by("anything"):
        found = import_module("phe")
    assert found.__name__ == "phe"
