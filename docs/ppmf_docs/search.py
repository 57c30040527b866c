# SPDX-License-Identifier: Apache-2.0
"""An extension of Sphinx: the search finds requirements, and a hit leads to the requirement's box.

The search page alone gets the table of requirements and the script that looks into it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx_needs.data import SphinxNeedsData

SCRIPT = "search_requirements.js"


def plain(text: str) -> str:
    """The sentence of a requirement on one line, without the marks of Markdown and TeX."""
    text = re.sub(r"([_^])\{([^{}]{2,})\}", r"\1(\2)", text)
    text = re.sub(r"\\(mathit|mathrm|text|operatorname|left|right|langle|rangle)\b", "", text)
    return re.sub(r"\s+", " ", re.sub(r"[`$*\\{}]", "", text)).strip()


def table(app: Sphinx) -> list[list[str]]:
    """Id, title, sentence and page of every requirement, in the order of chapters and ids."""
    needs = SphinxNeedsData(app.env).get_needs_view()
    rows = [
        [name, need["title"], plain(need["content"]), str(need["docname"])]
        for name, need in needs.items()
    ]
    return sorted(rows, key=lambda row: (row[3], row[0]))


def add(app: Sphinx, page: str, _template: str, _context: dict[str, Any], _tree: Any) -> None:
    """Give the search page its table and script."""
    if page != "search":
        return
    text = json.dumps(table(app), ensure_ascii=False).replace("<", "\\u003c")
    app.add_js_file(None, body=f"const PPMF_REQUIREMENTS = {text};")
    app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
