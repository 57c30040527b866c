# SPDX-License-Identifier: Apache-2.0
"""The mutations of a JavaScript module, token by token.

The tokens are those of the adapter's plain style: a template is one token, whatever is in it, and a
slash begins a pattern wherever no operand stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tools.mutation.suite.change import Change

TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<text>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<number>0x[0-9a-fA-F_]+n?|\d[\d_]*(?:\.\d+)?n?)"
    r"|(?P<name>#?[A-Za-z_$][\w$]*)"
    r"|(?P<mark>>>>=|\*\*=|<<=|>>=|>>>|===|!==|\.\.\.|&&=|\|\|=|\?\?=|=>|\?\.|\?\?|&&|\|\||\*\*"
    r"|<<|>>|<=|>=|==|!=|\+\+|--|[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])",
    re.S,
)
PATTERN = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*")

SWAPS = {
    "+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "**": "*", "<<": ">>", ">>": "<<",
    "&": "|", "|": "&", "^": "&", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "===": "!==",
    "!==": "===", "&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "??": "&&",
}  # fmt: skip
NAMES = {
    "true": "false", "false": "true", "min": "max", "max": "min", "some": "every",
    "every": "some", "break": "continue", "continue": "break", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
DROPPED = {"reverse", "sort"}
REFUSE = {"refuse", "bad"}


@dataclass(frozen=True)
class Token:
    """A token that is no blank: its group of TOKEN, or `pattern`, its text and place."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The place after it."""
        return self.start + len(self.text)

    @property
    def operand(self) -> bool:
        """Whether an operand ends with it, so that a minus or a slash after it takes two."""
        if self.kind == "name":
            return self.text not in {"return", "case", "of", "in", "typeof", "await", "yield"}
        return self.kind in {"number", "text", "pattern"} or self.text in {")", "]", "}"}


def tokens(source: str) -> list[Token]:
    """The tokens of a module; ValueError for what is none."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        if source[at] == "/" and not (found and found[-1].operand):
            pattern = PATTERN.match(source, at)
            if pattern:
                found.append(Token("pattern", pattern[0], at))
                at = pattern.end()
                continue
        if source[at] == "`":
            end = _template_end(source, at)
            found.append(Token("text", source[at:end], at))
            at = end
            continue
        one = TOKEN.match(source, at)
        if one is None or one.lastgroup is None:
            raise ValueError(f"no token at {at}: {source[at : at + 20]!r}")
        if one.lastgroup != "blank":
            found.append(Token(one.lastgroup, one[0], at))
        at = one.end()
    return found


def _template_end(source: str, at: int) -> int:
    """The place after the template that begins at `at`, which may hold others."""
    depth, at = 0, at + 1
    while depth or source[at] != "`":
        if source[at] == "\\":
            at += 2
        elif depth and source[at] == "`":
            at = _template_end(source, at)
        elif source.startswith("${", at) and not depth:
            depth, at = 1, at + 2
        else:
            depth += depth and (source[at] == "{") - (source[at] == "}")
            at += 1
    return at + 1


def mutations(source: str) -> Iterator[Change]:
    """Each mutation of a module."""
    every = tokens(source)
    importing = False
    for number, token in enumerate(every):
        before = every[number - 1] if number else None
        after = every[number + 1] if number + 1 < len(every) else None
        if token.text == "import":
            importing = True
        if importing:
            importing = token.text != ";"
            continue
        for start, end, text in _changes(every, number, token, before, after):
            mutated = source[:start] + text + source[end:]
            yield Change(token.start, source[start:end], text, partial(str, mutated))


def _changes(
    every: list[Token], number: int, token: Token, before: Token | None, after: Token | None
) -> Iterator[tuple[int, int, str]]:
    """The mutations of one token: the place of what is replaced, and by what."""
    text, here = token.text, (token.start, token.end)
    if token.kind == "number" and "." not in text:
        plain = text.removesuffix("n").replace("_", "")
        yield *here, f"{int(plain, 0) + 1}{'n' if text.endswith('n') else ''}"
    elif token.kind == "mark" and text in SWAPS:
        if text not in "+-" or (before is not None and before.operand):
            yield *here, SWAPS[text]
    elif text == "!":
        yield *here, ""
    elif text in NAMES and not (after and after.text == ":"):
        yield *here, NAMES[text]
    elif text in DROPPED and before and before.text == "." and after and after.text == "(":
        close = _closing(every, number + 1)
        yield before.start, every[close].end, ""
    elif text == "if" and after and after.text == "(":
        close = _closing(every, number + 1)
        if close + 1 < len(every) and every[close + 1].text in REFUSE:
            yield after.start, every[close].end, "(false)"


def _closing(every: list[Token], number: int) -> int:
    """The number of the parenthesis that closes the one of this number."""
    depth = 0
    for at in range(number, len(every)):
        depth += (every[at].text == "(") - (every[at].text == ")")
        if not depth:
            return at
    raise ValueError("a parenthesis that is not closed")
