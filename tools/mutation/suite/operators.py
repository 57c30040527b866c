# SPDX-License-Identifier: Apache-2.0
"""The mutations of a Python module: those of mutmut that are plausible mistakes, and a few more.

Left out are mutmut's operators that put `None` in the place of a value or leave an argument out,
since nearly all that they make ends in a TypeError, and those that change a string, which in this
code is nearly always a word of an error. Added are mistakes of order and missing checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.pragma_handling import IgnoredCode

from tools.mutation.suite.change import Change

_OTHER: dict[type[cst.CSTNode], type[cst.CSTNode]] = {
    cst.Multiply: cst.Add,
    cst.FloorDivide: cst.Multiply,
    cst.Modulo: cst.FloorDivide,
    cst.Power: cst.Multiply,
    cst.MatrixMultiply: cst.Multiply,
}
"""Other operators than mutmut's where that would make a float, which is no plausible mistake."""


def operator_swapped(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    """Another operator of two operands, or another comparison."""
    if isinstance(node, cst.BinaryOperation) and type(node.operator) in _OTHER:
        yield node.with_changes(operator=_OTHER[type(node.operator)]())
    else:
        yield from mutators.operator_swap_op(node)


def check_left_out(node: cst.If) -> Iterable[cst.If]:
    """`if wrong: raise Error` is never done."""
    body = node.body.body[0] if isinstance(node.body, cst.IndentedBlock) else None
    if isinstance(body, cst.SimpleStatementLine) and isinstance(body.body[0], cst.Raise):
        yield node.with_changes(test=cst.Name("False"))


def call_left_out(node: cst.SimpleStatementLine) -> Iterable[cst.SimpleStatementLine]:
    """A statement that is a call, and `del` and augmented assignments, become `pass`."""
    (statement, *others) = node.body
    call = m.Expr(m.Call() | m.Yield())
    if not others and (m.matches(statement, call) or isinstance(statement, cst.AugAssign)):
        yield node.with_changes(body=[cst.Pass()])


def loop_reversed(node: cst.For) -> Iterable[cst.For]:
    """`for x in xs` becomes `for x in reversed(list(xs))`, unless x is used by nobody."""
    if isinstance(node.target, cst.Name) and node.target.value == "_":
        return
    every = cst.Call(cst.Name("list"), [cst.Arg(node.iter)])
    yield node.with_changes(iter=cst.Call(cst.Name("reversed"), [cst.Arg(every)]))


def extreme_swapped(node: cst.Call) -> Iterable[cst.Call]:
    """`min` becomes `max`, and `max` `min`."""
    other = {"min": "max", "max": "min"}
    if isinstance(node.func, cst.Name) and node.func.value in other:
        yield node.with_changes(func=cst.Name(other[node.func.value]))


OPERATORS: Sequence[tuple[type, Any]] = [
    (cst.BaseNumber, mutators.operator_number),
    (cst.Name, mutators.operator_name),
    (cst.AugAssign, mutators.operator_augmented_assignment),
    (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    (cst.CSTNode, mutators.operator_keywords),
    (cst.CSTNode, operator_swapped),
    (cst.Match, mutators.operator_match),
    (cst.IfExp, mutators.operator_if_exp),
    (cst.If, check_left_out),
    (cst.SimpleStatementLine, call_left_out),
    (cst.For, loop_reversed),
    (cst.Call, extreme_swapped),
]


class _Visitor(MutationVisitor):
    """mutmut's visitor, which also notes where each mutation begins."""

    def __init__(self) -> None:
        super().__init__(OPERATORS, IgnoredCode(set(), set(), set()))
        self.places: list[tuple[int, int]] = []

    def _create_mutations(self, node: cst.CSTNode) -> None:
        super()._create_mutations(node)
        position = self.get_metadata(PositionProvider, node, None)
        place = (position.start.line, position.start.column) if position else (1, 0)
        self.places += [place] * (len(self.mutations) - len(self.places))


def mutations(source: str) -> Iterator[Change]:
    """Each mutation of a module."""
    visitor = _Visitor()
    module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    for mutation, (line, column) in zip(visitor.mutations, visitor.places, strict=True):
        old, new = mutation.original_node, mutation.mutated_node
        yield Change(
            starts[line - 1] + column,
            module.code_for_node(old),
            module.code_for_node(new),
            partial(_replaced, module, old, new),
        )


def _replaced(module: cst.Module, old: cst.CSTNode, new: cst.CSTNode) -> str:
    changed = module.deep_replace(old, new)
    assert isinstance(changed, cst.Module)
    return changed.code
