# SPDX-License-Identifier: Apache-2.0
"""The packages that a light installation does not bring, and the error where one is needed.

The distribution installs with what the conformance suite and the oracle need; the packages that
only training, audits or figures need come with its extras (`pip install 'ppmf[secure]'`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

EXTRA_OF = {
    "cryptography": "secure",
    "gmpy2": "secure",
    "phe": "secure",
    "matplotlib": "plots",
    "narwhals": "frames",
    "sympy": "symbolic",
    "anyio": "serve",
    "h11": "serve",
    "httpx": "serve",
    "prometheus_client": "serve",
    "segno": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "dask": "cluster",
    "distributed": "cluster",
}
"""The extra with which a package comes, by the name that is imported (see pyproject.toml)."""


class MissingExtraError(ImportError):
    """A package of an extra that is not installed; `str()` is one line with the remedy."""


def remedy(extra: str) -> str:
    """How to install an extra."""
    return f"pip install 'ppmf[{extra}]'"


def is_installed(extra: str) -> bool:
    """Whether all packages of an extra are there; none of them is imported.

    The extra `serve` includes `secure`.
    """
    included = ("secure", "serve") if extra == "serve" else (extra,)
    return all(find_spec(package) for package, of in EXTRA_OF.items() if of in included)


@contextmanager
def needed_by(what: str, extra: str | None = None) -> Iterator[None]:
    """The context of imports for `what`, in which a missing extra raises MissingExtraError.

    extra: the one that brings all of it, if it needs packages of several.

    Another module that cannot be imported is a fault of the program, and its error passes.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        raise MissingExtraError(
            f"{what} needs {package}, which is not installed: {remedy(extra or EXTRA_OF[package])}",
            name=package,
        ) from error
