# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: its docstring is its help, and an empty text is no path.

`Deferred` is a command whose module is loaded when it is called.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from ppmf_spec.extras import MissingExtraError, is_installed, needed_by, remedy

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


class Deferred(TyperCommand):
    """A command, or a group of commands, whose module is loaded when it is called.

    So a call of one command does not wait for what the others import. A light installation lists
    the commands that it cannot run, too; such a command raises MissingExtraError, whatever its
    arguments.
    """

    def __init__(self, name: str, place: str, about: str, extra: str | None = None) -> None:
        """Name the function, or the typer.Typer of a group, that stands at `place`.

        place: "module:function" or "module:app".
        about: the first sentence of its help, which the list of commands shows.
        extra: the one that brings all that it needs, if it needs one.
        """
        super().__init__(name, help=about, rich_markup_mode=None)
        self._place = place
        self._about = about
        self._extra = extra

    @cached_property
    def loaded(self) -> Any:
        """The command itself. Raises MissingExtraError without its extra."""
        assert self.name is not None
        with needed_by(f"`ppmf {self.name}`", self._extra):
            found = resolve_name(self._place)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(rich_markup_mode=None, add_completion=False)
            add(found, self.name, function)
        return typer.main.get_command(found)

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **more: Any) -> Any:
        """Take the arguments, as the command itself does."""
        try:
            command = self.loaded
        except MissingExtraError:
            if not more.get("resilient_parsing"):
                raise
            return super().make_context(info_name, args, parent, **more)  # nothing to complete
        return command.make_context(info_name, args, parent=parent, **more)

    def get_short_help_str(self, limit: int = 45) -> str:
        """The line that a list of commands shows."""
        if self._extra is None or is_installed(self._extra):
            return super().get_short_help_str(limit)
        return f"(Not installed: {remedy(self._extra)})"


def group_of(commands: Sequence[Deferred]) -> type[TyperGroup]:
    """The class of a typer.Typer whose commands are these."""

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**{**attributes, "commands": {str(one.name): one for one in commands}})

    return Group
