# SPDX-License-Identifier: Apache-2.0
"""The import contracts are kept, and each would be seen broken."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.packages import FOLDERS, ROOT, TOP_OF

LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"

# contract id -> a module, and what that module must not import
BREACHES = {
    "packages": ("ppmf_audit.finding", "ppmf_costs.tally"),
    "two-readings": ("ppmf_reference.fixed", "ppmf_secure.primitives.coins"),
    "suite-by-adapters": ("ppmf_conformance.judgement", "ppmf_reference.fixed"),
    "secure-layers": ("ppmf_secure.primitives.shares", "ppmf_secure.transport"),
    "primitives": ("ppmf_secure.primitives.coins", "ppmf_secure.primitives.sealing"),
    "protocols": ("ppmf_secure.protocols.transfers", "ppmf_secure.protocols.half_step"),
    "parties": ("ppmf_secure.parties.csp", "ppmf_secure.parties.recsys"),
    "link": ("ppmf_secure.link.frames", "ppmf_secure.link.streams"),
    "service-layers": ("ppmf_service.session_rows", "ppmf_service.agreement"),
    "command-layers": ("ppmf.console", "ppmf.main"),
    "sans-io": ("ppmf_secure.primitives.shares", "time"),
    "oracle-without-cryptography": ("ppmf_reference.fixed", "phe"),
}


def contracts() -> dict[str, str]:
    """The name of each contract, by its id."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract["id"]: contract["name"] for contract in config["contracts"]}


def lint(top: Path) -> tuple[int, str]:
    """Exit status and report of import-linter on the packages under `top`."""
    path = os.pathsep.join(str(top / folder) for folder in TOP_OF.values())
    run = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=top,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_every_contract_is_kept() -> None:
    status, report = lint(ROOT)
    assert status == 0, report
    for name in contracts().values():
        assert f"{name} KEPT" in report


def test_every_contract_has_a_breach_that_it_must_see() -> None:
    assert set(BREACHES) == set(contracts())


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_seen(contract: str, tmp_path: Path) -> None:
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    importer, imported = BREACHES[contract]
    package = importer.split(".")[0]
    source_file = tmp_path / TOP_OF[package] / Path(*importer.split(".")).with_suffix(".py")
    with source_file.open("a") as source:
        source.write(f"\nimport {imported}\n")
    status, report = lint(tmp_path)
    assert status != 0, report
    assert f"{contracts()[contract]} BROKEN" in report
    assert f"{importer} -> {imported} (" in report


def test_entropy_comes_from_coins_alone() -> None:
    """Import contracts cannot see `os.urandom` or `numpy.random`; this looks for the names."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "secure").rglob("*.py"))
        if path.name != "coins.py" and "transport" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"urandom", "getrandom", "random"}
    ]
    assert found == []
