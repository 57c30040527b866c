# SPDX-License-Identifier: Apache-2.0
"""The repository keeps its own rules: its folders, its licences, and what must not lie in it."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.support.project_text import FILES
from tools.packages import PACKAGES, ROOT, TOP_OF

FOLDERS = {*TOP_OF.values(), "tests", "tools", "docs", "benchmarks", "deploy", "LICENSES", ".ci"}
REAL_DATA = ("*ratings*.csv", "*.inter", "u.*", "*.base", "ua.test", "*.dat", "ml-*", "*.cborseq")
HEADED = {".py", ".md", ".toml", ".cddl", ".yml", ".yaml", ".css", ".sh"}
LARGEST = 1 << 20
ACROSS = {"browser", "formal", "independent_reading", "properties", "repo", "security", "support"}
"""The folders of tests that belong to no package."""
TAG = r"SPDX-License-" + r"Identifier: ([A-Za-z0-9.-]+)"  # in two parts: not this file's own


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def test_every_top_level_folder_is_known() -> None:
    found = {path.parts[0] for path in FILES if len(path.parts) > 1}
    assert found - FOLDERS == set()
    assert FOLDERS - {"benchmarks"} <= found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_holds_one_typed_package_of_its_name(package: str) -> None:
    top = TOP_OF[package]
    assert {path.parent.name for path in (ROOT / top).glob("*/__init__.py")} == {package}
    assert package == top or package == f"ppmf_{top}"
    assert (ROOT / top / package / "py.typed").is_file()


def test_every_folder_of_a_package_that_holds_modules_is_a_package() -> None:
    """Its `__init__.py` belongs to the project: a pattern of .gitignore must not hide it."""
    modules = [path for path in FILES if path.suffix == ".py" and path.parts[0] in TOP_OF.values()]
    folders = {path.parent for path in modules}
    assert sorted(str(one) for one in folders if one / "__init__.py" not in modules) == []


def test_every_list_of_packages_is_the_one_of_the_wheel() -> None:
    tool = tomllib.loads(text(Path("pyproject.toml")))["tool"]
    tops, packages = list(TOP_OF.values()), list(PACKAGES)
    assert tool["hatch"]["build"]["dev-mode-dirs"] == tops
    assert tool["mypy"]["mypy_path"] == [".", *tops, "docs"]
    assert tool["mypy"]["files"] == [*tops, "docs/ppmf_docs", "tests", "tools"]
    assert tool["coverage"]["run"]["source"] == packages
    assert tool["importlinter"]["root_packages"] == packages
    (layers,) = (each for each in tool["importlinter"]["contracts"] if each["id"] == "packages")
    assert set(re.split(r" \| ", " | ".join(layers["layers"]))) == set(packages)


def test_ci_runs_the_lint_the_readmes_test_command_and_the_page_in_a_browser() -> None:
    script = ROOT / ".ci" / "run"
    run = ["make lint", "make test", "make test-browser"]
    assert re.findall(r"^make .*$", script.read_text(), re.MULTILINE) == run
    assert script.stat().st_mode & stat.S_IXUSR
    assert "make test" in text(Path("README.md"))
    assert "make demo" in text(Path("README.md"))


def test_real_data_is_never_committed() -> None:
    data = [
        str(path)
        for path in FILES
        if path.suffix != ".py" and any(fnmatch.fnmatch(path.name, like) for like in REAL_DATA)
    ]
    assert data == []


def test_nothing_large_is_committed() -> None:
    assert [str(path) for path in FILES if (ROOT / path).stat().st_size > LARGEST] == []


@pytest.mark.parametrize(
    "place",
    ["/".join(["shared", "data"]), "/".join(["", "work", ""]), "/".join(["", "tmp", "probe"])],
)
def test_no_file_names_a_developers_folder(place: str) -> None:
    assert [str(path) for path in FILES if place in text(path)] == []


@pytest.mark.parametrize("host", [".".join(["pypi", "org"]), "python" + "hosted"])
def test_no_file_names_a_package_index(host: str) -> None:
    assert [str(path) for path in FILES if host in text(path).lower()] == []


def licence(path: Path) -> str:
    return "GPL-3.0-or-later" if path.parts[0] in ("secure", "service") else "Apache-2.0"


def test_every_source_file_says_its_licence_first() -> None:
    wrong = []
    for path in FILES:
        named = path.suffix in HEADED or str(path) in ("Makefile", ".ci/run", ".gitignore")
        if not named or not text(path):
            continue
        head = "\n".join(text(path).splitlines()[:3])
        if licence(path) not in re.findall(TAG, head):
            wrong.append(str(path))
    assert wrong == []


def test_the_licences_are_here_in_full_and_declared() -> None:
    project = tomllib.loads(text(Path("pyproject.toml")))["project"]
    names = {path.stem for path in (ROOT / "LICENSES").iterdir()}
    assert names == set(re.split(r" AND | OR ", project["license"]))
    for name in names:
        assert len((ROOT / "LICENSES" / f"{name}.txt").read_text()) > 10_000


def test_folders_of_tests_mirror_the_packages() -> None:
    """But for those that cross packages, which tests/support/__init__.py describes."""
    folders = {path.parent.relative_to("tests") for path in FILES if path.parts[0] == "tests"}
    tops = {name: package for package, name in TOP_OF.items()}
    across = {folder.parts[0] for folder in folders if folder.parts} - tops.keys()
    assert across == ACROSS
    described = text(Path("tests/support/__init__.py"))
    assert [name for name in across if f"\n    {name} " not in described] == []
    for folder in (each for each in folders if each.parts and each.parts[0] in tops):
        top, *inner = folder.parts
        assert (ROOT / top / tops[top]).joinpath(*inner).is_dir(), folder


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in FILES if path.parts[0] == "tests")
    assert [name for name, count in names.items() if count > 1 and name.startswith("test_")] == []


def test_ignored_folders_hold_what_tools_leave_behind() -> None:
    ignored = text(Path(".gitignore")).splitlines()
    assert {".venv/", ".cache/", ".hypothesis/", "__pycache__/", "docs/_build/"} <= set(ignored)


def test_the_docs_show_the_specification_itself() -> None:
    link = ROOT / "docs" / "spec"
    assert os.path.samefile(link, ROOT / "spec")
