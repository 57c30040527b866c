# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sphinx.application import Sphinx  # noqa: E402
from sphinx_needs.api import add_dynamic_function  # noqa: E402

from requirement_marks import places  # noqa: E402

project = "ppmf"
author = "The ppmf contributors"
project_copyright = "The ppmf contributors"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "sphinx_needs"]
# docs/spec points at the specification itself: one text, read here and in the repository.
exclude_patterns = ["_build", "spec/ppmf_spec", "**/__pycache__"]
source_suffix = {".md": "markdown"}
nitpicky = True

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

TESTS = places(ROOT)
CASES: dict[str, list[str]] = {}
for family in sorted(ROOT.glob("conformance/ppmf_conformance/suite/vectors/*.json")):
    for case in json.loads(family.read_text())["cases"]:
        for requirement in case["requirements"]:
            CASES.setdefault(requirement, []).append(case["id"])


def tests_of(app: Any, need: dict[str, Any] | None, *_: Any, **__: Any) -> str:
    """The test files that name the requirement shown (a dynamic function of sphinx-needs)."""
    files = (place.rpartition(":")[0] for place in TESTS.get(need["id"] if need else "", ()))
    return ", ".join(dict.fromkeys(Path(file).name for file in files)) or "none"


def cases_of(app: Any, need: dict[str, Any] | None, *_: Any, **__: Any) -> str:
    """The conformance cases that show the requirement: how many, of which families."""
    cases = CASES.get(need["id"] if need else "", ())
    families = dict.fromkeys(case.partition("/")[0] for case in cases)
    return f"{len(cases)}: {', '.join(families)}" if cases else "none"


needs_types = [
    {
        "directive": "req",
        "title": "Requirement",
        "prefix": "PPMF-",
        "color": "#4c78a8",
        "style": "node",
    }
]
needs_id_required = True
needs_id_regex = r"^PPMF-[A-Z]{2,5}-[0-9]{3}$"
needs_fields = {
    "level": {"description": "MUST or SHOULD", "default": "MUST"},
    "tests": {"description": "the tests that name it", "default": "[[tests_of()]]"},
    "cases": {"description": "the conformance cases", "default": "[[cases_of()]]"},
}

html_theme = "furo"
html_title = "ppmf"


def setup(app: Sphinx) -> None:
    """Make the requirements' trace to tests and conformance cases known to sphinx-needs."""
    add_dynamic_function(app, tests_of)
    add_dynamic_function(app, cases_of)
