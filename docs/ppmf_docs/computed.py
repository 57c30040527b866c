# SPDX-License-Identifier: Apache-2.0
"""Text that is computed when the site is built: a directive and a role.

```{computed} worked_example.ratings
```

calls `ppmf_docs.worked_example.ratings()`. The result is Markdown, or an `Svg` that is set into the
page unchanged. The role {computed}`worked_example.step_numbers` puts a function's text into a
sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole


@dataclass(frozen=True, slots=True)
class Svg:
    """A drawing, inline in the page so that it takes the colours of the page's theme."""

    source: str


def made_by(name: str) -> Callable[[], Any]:
    """The function `name`, a module of this package, a dot, and a function of it."""
    module, _, function = name.partition(".")
    found = getattr(import_module(f"ppmf_docs.{module}"), function)
    assert callable(found), name
    return found  # type: ignore[no-any-return]


class Computed(SphinxDirective):
    """A block of text or a drawing, from a function."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The result of the function, as nodes."""
        self.env.note_reread()
        content = made_by(self.arguments[0])()
        if not isinstance(content, Svg):
            return self.parse_text_to_nodes(str(content), allow_section_headings=True)
        drawing = nodes.container("", nodes.raw("", content.source, format="html"))
        return [nodes.figure("", drawing, classes=["drawing"])]


class ComputedText(SphinxRole):
    """A function's text within a sentence."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The text of the function, unchanged."""
        self.env.note_reread()
        return [nodes.Text(str(made_by(self.text)()))], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register directive and role."""
    app.add_directive("computed", Computed)
    app.add_role("computed", ComputedText())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
