# SPDX-License-Identifier: Apache-2.0
"""A validator for the part of JSON Schema (draft 2020-12) that the suite's own schemas use.

The schemas in `schemas/` are the contract, and any validator can use them. This one checks every
line and every vector without another dependency.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from ppmf_conformance import json_text

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
KEYWORDS = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern",
    "minLength", "minimum", "maximum", "minItems", "uniqueItems", "items", "required",
    "properties", "additionalProperties", "oneOf", "anyOf",
}  # fmt: skip
"""Every keyword that is understood; a schema that uses another is refused."""


@cache
def named(name: str) -> dict[str, Any]:
    """The schema `schemas/NAME.schema.json` of the suite."""
    text = (files(__package__) / "schemas" / f"{name}.schema.json").read_bytes()
    schema: dict[str, Any] = json_text.loads(text, f"schema {name}")
    return schema


def faults(value: Any, schema: dict[str, Any], definition: str | None = None) -> list[str]:
    """The faults of a value, one line each; empty when the value fits the schema.

    definition: the name under `$defs` of the schema to use, else the schema itself.
    """
    if _understood.get(id(schema)) is not schema:
        _check_keywords(schema)
        _understood[id(schema)] = schema
    start = schema if definition is None else schema["$defs"][definition]
    return list(_faults(value, start, schema, "$"))


_understood: dict[int, dict[str, Any]] = {}
"""The schemas whose keywords were looked at, by their identity."""


def _check_keywords(rule: dict[str, Any]) -> None:
    """Raise ValueError if a schema, or one within it, has a keyword that is not understood."""
    unknown = set(rule) - KEYWORDS
    if unknown:
        raise ValueError(f"schema keywords not understood: {', '.join(sorted(unknown))}")
    within = [*rule.get("oneOf", []), *rule.get("anyOf", [])]
    for named_rules in (rule.get("properties", {}), rule.get("$defs", {})):
        within += named_rules.values()
    within += [rule[name] for name in ("items", "additionalProperties") if name in rule]
    for one in within:
        if isinstance(one, dict):
            _check_keywords(one)


def _faults(value: Any, rule: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    if "$ref" in rule:
        yield from _faults(value, root["$defs"][rule["$ref"].rpartition("/")[2]], root, at)
    kinds = rule.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        yield f"{at}: not of type {' or '.join(kinds)}"
        return
    if "const" in rule and value != rule["const"]:
        yield f"{at}: not {rule['const']!r}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{at}: not one of {', '.join(map(str, rule['enum']))}"
    for keyword in ("oneOf", "anyOf"):
        if keyword in rule:
            yield from _choice(value, rule[keyword], root, at, keyword)
    if isinstance(value, str):
        yield from _text(value, rule, at)
    elif type(value) is int:
        yield from _integer(value, rule, at)
    elif isinstance(value, list):
        yield from _array(value, rule, root, at)
    elif isinstance(value, dict):
        yield from _object(value, rule, root, at)


def _choice(
    value: Any, rules: list[dict[str, Any]], root: dict[str, Any], at: str, keyword: str
) -> Iterator[str]:
    fitting = 0
    for rule in rules:  # most forms are of another type: that is cheap to see
        kind = rule.get("type")
        if isinstance(kind, str) and not _TYPES[kind](value):
            continue
        fitting += next(_faults(value, rule, root, at), None) is None
    if fitting == 0:
        yield min((list(_faults(value, rule, root, at)) for rule in rules), key=len)[0]
    elif fitting > 1 and keyword == "oneOf":
        yield f"{at}: fits more than one form"


_HEXADECIMAL = "^([0-9a-f]{2})*$"
"""The pattern of bytes, of which a line may hold millions."""


def _fits(value: str, pattern: str) -> bool:
    """Whether a text has the form of a pattern, in which `$` is the end and no line feed before."""
    if pattern == _HEXADECIMAL:  # as a group that repeats it takes ten times as long
        return len(value) % 2 == 0 and re.fullmatch("[0-9a-f]*", value) is not None
    return not value.endswith("\n") and re.search(pattern, value) is not None


def _text(value: str, rule: dict[str, Any], at: str) -> Iterator[str]:
    if "pattern" in rule and not _fits(value, rule["pattern"]):
        yield f"{at}: not of the form {rule['pattern']}"
    if len(value) < rule.get("minLength", 0):
        yield f"{at}: too short"


def _integer(value: int, rule: dict[str, Any], at: str) -> Iterator[str]:
    if value < rule.get("minimum", value) or value > rule.get("maximum", value):
        yield f"{at}: out of its range"


def _array(value: list[Any], rule: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    if len(value) < rule.get("minItems", 0):
        yield f"{at}: fewer than {rule['minItems']} entries"
    if rule.get("uniqueItems") and len({json_text.line(entry) for entry in value}) < len(value):
        yield f"{at}: an entry occurs twice"
    if "items" in rule:
        for number, entry in enumerate(value):
            yield from _faults(entry, rule["items"], root, f"{at}[{number}]")


def _object(
    value: dict[str, Any], rule: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    properties = rule.get("properties", {})
    for name in rule.get("required", []):
        if name not in value:
            yield f"{at}.{name}: missing"
    others = rule.get("additionalProperties", True)
    for name, member in value.items():
        if name in properties:
            yield from _faults(member, properties[name], root, f"{at}.{name}")
        elif others is False:
            yield f"{at}.{name}: unknown member"
        elif isinstance(others, dict):
            yield from _faults(member, others, root, f"{at}.{name}")
