# SPDX-License-Identifier: Apache-2.0
"""The files at the root that tell of the project agree with pyproject.toml and each other."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from tools.packages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def test_the_citation_has_what_its_format_requires() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "abstract", "keywords"} <= set(CITATION)
    for reference in CITATION["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_the_citation_is_of_this_version_and_of_these_authors() -> None:
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["authors"] == PROJECT["authors"]
    assert CITATION["keywords"] == PROJECT["keywords"]


def test_the_citation_names_the_licence_of_the_whole() -> None:
    """A list would be read as a choice between licences, which is not given."""
    assert CITATION["license"] in re.split(r" AND ", PROJECT["license"])


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).is_file()] == []


def test_the_readme_leads_to_the_other_pages() -> None:
    readme = (ROOT / "README.md").read_text()
    assert set(PAGES[1:]) | {"CITATION.cff"} <= set(LINK.findall(readme))
