# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: its docstring is its help, and an empty text is no path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from ppmf_spec.extras import MissingExtraError, needed_by

_NEGATIVE = re.compile(r"-[0-9]+")


class Command(TyperCommand):
    """A command that takes `-1` for a value, and refuses an empty text where a path is due."""

    paths: frozenset[str] = frozenset()
    """The names of the parameters that are paths."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments. Raises the usage errors of typer."""
        if any(_NEGATIVE.fullmatch(one) for one in args):
            ctx.ignore_unknown_options = True  # no option is a number
        # Once it has become a Path, "" cannot be told from the folder ".".
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for param in self.params:
            if param.name in self.paths and given.get(param.name) == "":
                raise typer.BadParameter(f"{_shown(param)}: an empty text names no file", ctx=ctx)
        return super().parse_args(ctx, args)


def _shown(param: Any) -> str:
    """The name of a parameter as the help shows it."""
    name: str = param.opts[0]
    return name if name.startswith("-") else str(param.metavar or name)


def add(to: typer.Typer, name: str, command: Callable[..., object]) -> None:
    """Register a command; paragraphs of its docstring with indented lines are kept as they are."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    shown = [f"\b\n{text}" if "\n  " in text else text for text in paragraphs]
    # Of typer's own types of parameters each version has other ones.
    hints = get_type_hints(command)
    paths = frozenset(name for name, hint in hints.items() if hint in (Path, Path | None))
    kind = type("Command", (Command,), {"paths": paths})
    to.command(name, cls=kind, help="\n\n".join(shown))(command)


def add_if_installed(to: typer.Typer, name: str, place: str, extra: str | None = None) -> None:
    """Register the command that stands at `place`, "module:function".

    A light installation lists the commands that it cannot run, too; such a command raises
    MissingExtraError, whatever its arguments. extra: the one that brings all that it needs.
    """
    _add_if_installed(to, name, place, extra, add)


def add_app_if_installed(to: typer.Typer, name: str, place: str, extra: str | None = None) -> None:
    """Register the group of commands that stands at `place`, as `add_if_installed` does."""
    _add_if_installed(to, name, place, extra, lambda to, name, app: to.add_typer(app, name=name))


def _add_if_installed(
    to: typer.Typer,
    name: str,
    place: str,
    extra: str | None,
    register: Callable[[typer.Typer, str, Any], None],
) -> None:
    try:
        with needed_by(f"`ppmf {name}`", extra):
            found = resolve_name(place)
    except MissingExtraError as error:
        missing = error  # `error` ends with this block
    else:
        register(to, name, found)
        return

    def unavailable(context: typer.Context) -> None:
        raise missing

    to.command(
        name,
        help=f"(Not installed: {str(missing).rpartition(': ')[2]})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(unavailable)
