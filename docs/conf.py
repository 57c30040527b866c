# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "ppmf"
author = "The ppmf contributors"
project_copyright = "The ppmf contributors"
version = release = installed_version("ppmf")

extensions = ["myst_parser", "sphinx_needs"]
# docs/spec points at the specification itself: one text, read here and in the repository.
exclude_patterns = ["_build", "spec/ppmf_spec", "**/__pycache__"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath"]
myst_heading_anchors = 3

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
needs_id_regex = r"^PPMF-[A-Z]+-[0-9]{3}$"
needs_fields = {"level": {"description": "MUST, SHOULD or MAY, as in RFC 2119", "default": "MUST"}}

html_theme = "furo"
html_title = "ppmf"
nitpicky = True
