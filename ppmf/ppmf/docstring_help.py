# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: its docstring is its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pkgutil import resolve_name

import typer

from ppmf_spec.extras import MissingExtraError, needed_by


def add(to: typer.Typer, name: str, command: Callable[..., object]) -> None:
    """Register a command; paragraphs of its docstring with indented lines are kept as they are."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    shown = [f"\b\n{text}" if "\n  " in text else text for text in paragraphs]
    to.command(name, help="\n\n".join(shown))(command)


def add_if_installed(to: typer.Typer, name: str, place: str) -> None:
    """Register the command that stands at `place`, "module:function".

    A light installation lists the commands that it cannot run, too; such a command raises
    MissingExtraError, whatever its arguments.
    """
    try:
        with needed_by(f"`ppmf {name}`"):
            command = resolve_name(place)
    except MissingExtraError as error:
        missing = error  # `error` ends with this block
    else:
        add(to, name, command)
        return

    def unavailable(context: typer.Context) -> None:
        raise missing

    to.command(
        name,
        help=f"(Not installed: {str(missing).rpartition(': ')[2]})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(unavailable)
