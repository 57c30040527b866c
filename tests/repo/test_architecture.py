# SPDX-License-Identifier: Apache-2.0
"""ARCHITECTURE.md names what there is: packages, layers, effects, and modules by section."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest

from ppmf_secure.effects import Effect
from ppmf_spec.requirements import collect
from tests.support.text_of_the_spec import SPEC, sections
from tools.packages import FOLDERS, ROOT, TOP_OF

SECURE = ROOT / "secure" / "ppmf_secure"
CHAPTER_4 = SPEC / "04-protocol.md"

Rows = list[tuple[str, ...]]


def tables(page: str) -> dict[str, Rows]:
    """The tables of a page by the title of their first column; each row as its cells."""
    found: dict[str, Rows] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", (ROOT / page).read_text(), re.MULTILINE):
        lines = [
            tuple(cell.strip() for cell in line[1:-1].split("|")) for line in table.split("\n")[:-1]
        ]
        found.setdefault(lines[0][0], []).extend(lines[2:])
    return found


TABLES = tables("ARCHITECTURE.md")


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def all_modules() -> set[str]:
    """The modules of ppmf_secure that hold code, named from the package on."""
    paths = (path.relative_to(SECURE) for path in SECURE.rglob("*.py"))
    return {".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"}


def naming(section: str) -> set[str]:
    """The modules of ppmf_secure that name a requirement of this section as one that they meet."""
    ids = set(re.findall(r"^:id: (\S+)$", sections(CHAPTER_4)[section], re.MULTILINE))
    trace = json.loads((SPEC / "trace.json").read_text())
    files = {place.partition("::")[0] for name in ids for place in trace[name]["code"]}
    paths = (Path(file).relative_to("secure/ppmf_secure") for file in files if "secure/" in file)
    return {".".join(path.with_suffix("").parts) for path in paths}


MODULES_OF = {section: quoted(modules) for section, modules in TABLES["section"]}
OF_NO_SECTION = [module for modules, _ in TABLES["module"] for module in quoted(modules)]


def test_every_section_of_chapter_4_is_named_once_and_in_order() -> None:
    """All but the list of withdrawn requirements, which nothing meets."""
    in_force = [section for section in sections(CHAPTER_4) if section != "Withdrawn"]
    assert [section for section, _ in TABLES["section"]] == in_force


@pytest.mark.parametrize("section", MODULES_OF)
def test_a_section_has_every_module_that_meets_its_requirements(section: str) -> None:
    assert MODULES_OF[section], "a section without modules"
    assert naming(section) - set(MODULES_OF[section]) == set()


def test_every_requirement_of_chapter_4_is_in_a_section() -> None:
    """So that the test before this one sees all modules that name one."""
    ids = re.findall(r"^:id: (\S+)$", "".join(sections(CHAPTER_4).values()), re.MULTILINE)
    assert sorted(ids) == sorted(collect([CHAPTER_4]))


def test_every_module_of_the_protocol_is_in_one_of_the_two_tables() -> None:
    named = [module for modules in MODULES_OF.values() for module in modules]
    of_sections = {module for module in named if not module.startswith("ppmf_")}
    assert of_sections | set(OF_NO_SECTION) == all_modules()
    assert of_sections & set(OF_NO_SECTION) == set()
    assert len(OF_NO_SECTION) == len(set(OF_NO_SECTION))


def test_every_dotted_name_is_a_module_or_something_in_one() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    names = {name for name in quoted(text) if re.fullmatch(r"(?:ppmf_|tools\.)\w+(?:\.\w+)+", name)}
    assert len(names) > 10
    for name in names:
        resolve_name(name)


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "README.md"])
def test_every_package_is_in_the_table_of_packages(page: str) -> None:
    rows = [(*quoted(folder), *quoted(package)) for folder, package, _ in tables(page)["folder"]]
    packages = {row for row in rows if len(row) == 2}
    assert packages == {(f"{top}/", package) for package, top in TOP_OF.items()}


def test_the_drawing_of_the_packages_is_the_contract() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = [
        sorted(re.findall(r"ppmf\w*", line))
        for line in re.findall(r"^    (ppmf.*)$", text, re.MULTILINE)
    ]
    assert drawn == [sorted(layer.split(" | ")) for layer in layers("packages")]
    assert sum(map(len, drawn)) == len(FOLDERS)


def test_the_layers_of_the_protocol_are_those_of_the_contract() -> None:
    named = [sorted(name.rstrip("/") for name in quoted(layer)) for layer, _ in TABLES["layer"]]
    assert named == [sorted(layer.split(" | ")) for layer in layers("secure-layers")]


def layers(contract: str) -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (found,) = (each["layers"] for each in config["contracts"] if each["id"] == contract)
    assert isinstance(found, list)
    return found


def test_the_effects_are_those_of_a_program() -> None:
    named = [name for effect, _ in TABLES["effect"] for name in quoted(effect)]
    assert named == [effect.__name__ for effect in get_args(Effect)]
