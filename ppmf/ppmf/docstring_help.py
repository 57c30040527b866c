# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: its docstring is its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer


def add(to: typer.Typer, name: str, command: Callable[..., object]) -> None:
    """Register a command; paragraphs of its docstring with indented lines are kept as they are."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    shown = [f"\b\n{text}" if "\n  " in text else text for text in paragraphs]
    to.command(name, help="\n\n".join(shown))(command)
