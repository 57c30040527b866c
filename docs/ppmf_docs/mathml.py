# SPDX-License-Identifier: Apache-2.0
"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

The conversion is docutils' own. A formula that it cannot convert is a warning, hence an error of
`make docs`, with the place and the formula.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_REWRITTEN = (
    (r"\\dots(?![a-zA-Z])", r"\\ldots"),
    (r"(\\[dt]?frac) *(\d) *(\d)", r"\1{\2}{\3}"),
    (r"(\\tilde [a-zA-Z])_", r"{\1{}}_"),  # else the index would stand under the letter
)
"""TeX that docutils does not know or takes for something else, and what it takes rightly."""

_log = logging.getLogger(__name__)


def to_mathml(tex: str, *, block: bool) -> str:
    """A formula of TeX's mathematics as one `<math>` element; MathError if it cannot be."""
    for pattern, instead in _REWRITTEN:
        tex = re.sub(pattern, instead, tex)
    converted = str(latex2mathml.tex2mathml(tex, as_block=block))
    # bars enclose: without this, browsers put the space of a relation around them
    converted = re.sub(r"<mo[^>]*>([|‖])</mo>", r'<mo lspace="0" rspace="0">\1</mo>', converted)
    # named characters of HTML, as characters: what is left is XML too
    return re.sub(r"&(?!amp;|lt;|gt;|quot;)\w+;", lambda found: unescape(found[0]), converted)


def _visit_inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(_converted(node, block=False))
    raise nodes.SkipNode


def _visit_block(translator: Any, node: nodes.Element) -> None:
    converted = _converted(node, block=True)
    translator.body.append(f'<div class="formula" tabindex="0">{converted}</div>\n')
    raise nodes.SkipNode


def _converted(node: nodes.Element, *, block: bool) -> str:
    tex = node.astext()
    try:
        return to_mathml(tex, block=block)
    except MathError as error:
        _log.warning("formula %r: %s", tex, error, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer; `html_math_renderer = "mathml"` chooses it."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
