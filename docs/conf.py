# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from sphinx.application import Sphinx  # noqa: E402
from sphinx_needs.api import add_dynamic_function  # noqa: E402

from ppmf_docs import cases  # noqa: E402

project = "ppmf"
author = "The ppmf contributors"
project_copyright = "The ppmf contributors"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_needs",
    "ppmf_docs.computed",
    "ppmf_docs.docstrings",
    "ppmf_docs.links",
    "ppmf_docs.mathml",
    "ppmf_docs.search",
]
# docs/spec points at the specification itself: one text, read here and in the repository.
exclude_patterns = ["_build", "spec/ppmf_spec", "**/__pycache__"]
source_suffix = {".md": "markdown"}
nitpicky = True
# Types of other libraries stand in signatures; the site links nowhere outside.
nitpick_ignore_regex = [("py:.*", r"(?!ppmf_).*"), ("py:class", r".*\.(M|X|SparseMatrix)")]
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution", "attrs_inline"]
myst_substitutions = {"version": version}
myst_heading_anchors = 3

TRACE: dict[str, dict[str, Any]] = json.loads((ROOT / "spec" / "trace.json").read_text())


def files_of(need: dict[str, Any] | None, what: str) -> dict[Path, None]:
    """The files of one column of the trace of the requirement shown, each once, in order."""
    places = TRACE.get(need["id"], {}).get(what, ()) if need else ()
    return dict.fromkeys(Path(place.partition("::")[0]) for place in places)


def tests_of(app: Any, need: dict[str, Any] | None, *_: Any, **__: Any) -> str:
    """The test files that name the requirement shown (a dynamic function of sphinx-needs)."""
    return ", ".join(file.name for file in files_of(need, "tests")) or "none"


def code_of(app: Any, need: dict[str, Any] | None, *_: Any, **__: Any) -> str:
    """The modules that say that they meet the requirement."""
    modules = (".".join(file.with_suffix("").parts[1:]) for file in files_of(need, "code"))
    return ", ".join(modules) or "none"


def cases_of(app: Any, need: dict[str, Any] | None, *_: Any, **__: Any) -> str:
    """The conformance cases that show the requirement: how many, of which families."""
    return cases.summary(need["id"] if need else "")


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
    "level": {"description": "MUST, SHOULD or WITHDRAWN", "default": "MUST"},
    "tests": {"description": "the tests that name it", "default": "[[tests_of()]]"},
    "code": {"description": "the modules that meet it", "default": "[[code_of()]]"},
    "cases": {"description": "the conformance cases", "default": "[[cases_of()]]"},
}

# The sentence first; below it, small, what is known of it.
needs_layouts = {
    "requirement": {
        "grid": "simple_footer",
        "layout": {
            "head": ["**<<meta('title')>>** <<meta_id()>> <<meta('level')>>"],
            "meta": [],
            "footer": [f"<<meta('{name}', prefix='{name}: ')>>" for name in needs_fields][1:],
        },
    }
}
needs_default_layout = "requirement"

html_theme = "furo"
html_title = f"ppmf {version}"
html_static_path = ["_static"]
html_show_sphinx = False
html_css_files = ["ppmf.css"]
html_math_renderer = "mathml"  # formulas without a script or font from elsewhere


def setup(app: Sphinx) -> None:
    """Make the requirements' trace to tests, code and conformance cases known to sphinx-needs."""
    add_dynamic_function(app, tests_of)
    add_dynamic_function(app, code_of)
    add_dynamic_function(app, cases_of)
