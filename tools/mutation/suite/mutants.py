# SPDX-License-Identifier: Apache-2.0
"""The mutants of a target: those of the listed kinds, and a sample of all that operators make.

A mutant is the text of one file of an implementation, changed in one place. The sample is drawn by
a hash of the change, and what was drawn is kept in `samples.json`: it stays the same as far as the
code does, and the next of the hash take the place of those that are gone.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools.mutation.mutants import is_message
from tools.mutation.suite import javascript, operators
from tools.mutation.suite.change import Change
from tools.packages import ROOT

_AROUND = 8
"""The lines before a change outside of Python's functions, and after it, that are in its key."""
_STRICT = re.compile(r",? strict=(True|False)")

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Target:
    """An implementation under mutation.

    folder: what is copied for each mutant, below the root. modules: globs below it, of what is
    mutated. adapter: the module that is run with the copy, or the file in it for `node`.
    sample: how many mutants are drawn. seconds: the processor time that a mutant may take.
    """

    name: str
    folder: str
    modules: tuple[str, ...]
    without: tuple[str, ...]
    adapter: str
    sample: int
    seconds: int

    @property
    def root(self) -> Path:
        """The folder of the original."""
        return ROOT / self.folder

    def files(self) -> Iterator[str]:
        """The files that are mutated, below the folder."""
        left_out = {path for glob in self.without for path in self.root.glob(glob)}
        found = {path for glob in self.modules for path in self.root.glob(glob)} - left_out
        yield from sorted(path.relative_to(self.root).as_posix() for path in found)


@dataclass(frozen=True)
class Mutant:
    """One mutant: `module`, a file below the target's folder, whose text is `text` in it.

    original: the text without the change. before, after: the lines that differ. function: the one
    that is changed, as `Class.method`; empty outside of any. offset: the place of the change in
    the original text.
    kind: the listed kind; empty for a mutant of the sample.
    """

    target: str
    module: str
    function: str
    before: str
    after: str
    offset: int
    text: str
    original: str
    kind: str = ""

    @property
    def key(self) -> str:
        """What a verdict is kept under: the changed function, or the lines around the change."""
        lines = self.text.splitlines()
        at = self.text.count("\n", 0, self.offset)
        around = lines[max(0, at - _AROUND) : at + _AROUND]
        if self.function:
            around = _lines_of(self.text, self.function) or around
        whole = "\n".join((self.target, self.module, self.function, *around))
        return hashlib.sha256(whole.encode()).hexdigest()[:24]


@cache
def targets() -> dict[str, Target]:
    """The targets, by name."""
    table = tomllib.loads((HERE / "targets.toml").read_text(encoding="utf-8"))
    return {
        name: Target(
            name=name,
            folder=one["folder"],
            modules=tuple(one["modules"]),
            without=tuple(one.get("without", ())),
            adapter=one["adapter"],
            sample=one["sample"],
            seconds=one["seconds"],
        )
        for name, one in table.items()
    }


@cache
def kinds() -> list[dict[str, Any]]:
    """The entries of kinds.toml."""
    found: list[dict[str, Any]] = tomllib.loads((HERE / "kinds.toml").read_text(encoding="utf-8"))[
        "mutant"
    ]
    return found


def mutant(target: Target, module: str, source: str, text: str, offset: int) -> Mutant:
    """The mutant of a file whose text becomes `text`, changed at `offset`."""
    before, after = differing(source.splitlines(), text.splitlines())
    function = function_at(source, offset) if module.endswith(".py") else ""
    return Mutant(target.name, module, function, before, after, offset, text, source)


def differing(original: list[str], mutated: list[str]) -> tuple[str, str]:
    """The lines from the first to the last that differ, joined and without indentation."""
    first = 0
    while first < min(len(original), len(mutated)) and original[first] == mutated[first]:
        first += 1
    last = 1
    shorter = min(len(original), len(mutated)) - first
    while last <= shorter and original[-last] == mutated[-last]:
        last += 1
    before, after = (lines[first : len(lines) - last + 1] for lines in (original, mutated))
    return " ".join(map(str.strip, before)), " ".join(map(str.strip, after))


def function_at(source: str, offset: int) -> str:
    """The function or method of a module that holds an offset of its text; empty outside of any."""
    line = source.count("\n", 0, offset) + 1
    name, body = "", _parsed(source).body
    while True:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                if first <= line <= (node.end_lineno or first):
                    name = f"{name}.{node.name}" if name else node.name
                    if isinstance(node, ast.FunctionDef):
                        return name
                    body = node.body
                    break
        else:
            return ""


def _lines_of(source: str, function: str) -> list[str]:
    """The lines of a function or method; none if the text has no such function."""
    body = _parsed(source).body
    node: ast.stmt | None = None
    for name in function.split("."):
        named = [
            n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name
        ]
        if not named:
            return []
        node, body = named[-1], named[-1].body
    assert node is not None
    return source.splitlines()[node.lineno - 1 : node.end_lineno]


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def listed(target: Target) -> list[Mutant]:
    """The mutants of the listed kinds, each of whose `before` stands once in its module."""
    found = []
    for entry in kinds():
        if entry["target"] != target.name:
            continue
        source = (target.root / entry["module"]).read_text(encoding="utf-8")
        before = entry["before"].strip("\n")
        if source.count(before) != 1:
            raise ValueError(f"{entry['module']}: not once: {before}")
        text = source.replace(before, entry["after"].strip("\n"))
        one = mutant(target, entry["module"], source, text, source.index(before))
        found.append(Mutant(**{**vars(one), "kind": entry["kind"]}))
    return found


def changes(target: Target) -> Iterator[tuple[str, str, Change]]:
    """All changes that the operators can make, each with its module and the text of that."""
    for module in target.files():
        source = (target.root / module).read_text(encoding="utf-8")
        make = operators.mutations if module.endswith(".py") else javascript.mutations
        for change in make(source):
            yield module, source, change


SAMPLES = HERE / "samples.json"
"""The places of the mutants of each sample, so that other code does not change what is drawn."""


def sample(target: Target, seed: str) -> list[Mutant]:
    """As many mutants as the target says, or all if there are fewer; those of SAMPLES first.

    Those that change nothing but the words of an error, or an assertion of equal lengths, are no
    mistakes.
    """
    kept = json.loads(SAMPLES.read_text(encoding="utf-8")).get(target.name, [])
    return [one for _, one in _sample(target, seed, kept)]


def redrawn(seed: str) -> str:
    """The text of SAMPLES for the present code."""
    found = {
        one.name: sorted(name for name, _ in _sample(one, seed, ())) for one in targets().values()
    }
    return json.dumps(found, indent=1) + "\n"


def _sample(target: Target, seed: str, kept: Sequence[str]) -> list[tuple[str, Mutant]]:
    found: dict[str, tuple[str, Mutant]] = {}
    for name, (module, source, change) in drawn(changes(target), seed, kept):
        if len(found) == target.sample:
            break
        one = mutant(target, module, source, change.apply(), change.offset)
        if not _words_alone(one.before, one.after):
            found[one.key] = name, one
    return list(found.values())


def _words_alone(before: str, after: str) -> bool:
    lines = [_STRICT.sub("", line) for line in (before, after)]
    return lines[0] == lines[1] or is_message(before, after)


def drawn(
    every: Iterable[tuple[str, str, Change]], seed: str, kept: Collection[str] = ()
) -> list[tuple[str, tuple[str, str, Change]]]:
    """All changes, each with the name of its place, in the order of a hash of that, in which its
    line in the file does not enter; those of the names that are kept come first.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    ranked = []
    for module, source, change in every:
        function = function_at(source, change.offset) if module.endswith(".py") else ""
        place = (module, function, change.old, change.new)
        text = "\0".join((seed, *place, str(seen[place])))
        seen[place] += 1
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        ranked.append((name, (module, source, change)))
    ranked.sort(key=lambda pair: (pair[0] not in kept, pair[0]))
    return ranked


class Argued:
    """The arguments of survivors.toml about mutants that no run of the suite can tell."""

    def __init__(self) -> None:
        table = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))
        self.classes: list[dict[str, str]] = table.get("class", [])
        self.entries: list[dict[str, Any]] = table.get("mutant", [])

    def reason(self, one: Mutant) -> str:
        """Why a mutant is equivalent; empty if nobody argued that."""
        for entry in self.entries:
            place = (entry["target"], entry["module"], entry["before"])
            if place == (one.target, one.module, one.before) and one.after in entry["after"]:
                return str(entry["reason"])
        for kind in self.classes:
            if one.target == kind["target"] and re.match(kind["before"], one.before):
                return kind["reason"]
        return ""
