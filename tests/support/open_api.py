# SPDX-License-Identifier: Apache-2.0
"""A description in OpenAPI, and what an answer breaks of it.

Of JSON Schema this has the words that the project's description uses, and refuses any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import yaml

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
METHODS = ("get", "put", "delete")


class Description:
    """The description in a file."""

    def __init__(self, path: Path) -> None:
        self.content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))

    def operations(self, tag: str) -> Iterator[tuple[str, str]]:
        """The paths and methods of a server."""
        for path, item in self.content["paths"].items():
            for method in METHODS:
                if tag in item.get(method, {}).get("tags", ()):
                    yield path, method.upper()

    def statuses(self, path: str, method: str) -> set[int]:
        """The statuses that an operation may be answered with."""
        return {int(status) for status in self.content["paths"][path][method.lower()]["responses"]}

    def check(self, path: str, method: str, answer: httpx.Response) -> None:
        """Check that an answer is one of those described."""
        responses = self.content["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in responses, (path, method, answer.status_code)
        due = self._resolved(responses[str(answer.status_code)])
        for name, header in due.get("headers", {}).items():
            schema = self._resolved(header)["schema"]
            self._match(answer.headers.get(name), schema, f"header {name}")
        kind = answer.headers.get("content-type", "").partition(";")[0]
        content = due.get("content")
        if content is None:
            assert answer.content == b"", "no body is described"
            return
        assert kind in content, (path, method, answer.status_code, kind)
        schema = content[kind].get("schema")
        if schema is not None:
            body = answer.text if kind == "text/plain" else json.loads(answer.content)
            self._match(body, schema, f"{method} {path} {answer.status_code}")

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found: Any = self.content
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return cast(dict[str, Any], found)

    def _match(self, value: Any, schema: dict[str, Any], where: str) -> None:
        schema = self._resolved(schema)
        for word, due in schema.items():
            match word:
                case "type":
                    kinds = [due] if isinstance(due, str) else due
                    fits = [isinstance(value, _TYPES[kind]) for kind in kinds]
                    assert any(fits), f"{where}: not {due}"
                    number = "integer" in kinds and isinstance(value, bool)
                    assert not number, f"{where}: not {due}"
                case "const":
                    assert value == due, f"{where}: {value!r} where {due!r} is due"
                case "enum":
                    assert value in due, f"{where}: {value!r} is not among {due}"
                case "pattern" if value is not None:
                    assert isinstance(value, str), f"{where}: no text"
                    assert re.search(due, value), f"{where}: {value!r} does not fit {due}"
                case "minimum":
                    assert value >= due, f"{where}: {value} is less than {due}"
                case "maximum":
                    assert value <= due, f"{where}: {value} is more than {due}"
                case "required":
                    assert set(due) <= set(value), f"{where}: has only {set(value)}"
                case "additionalProperties":
                    assert due is False
                    extra = set(value) - set(schema["properties"])
                    assert not extra, f"{where}: has {extra} too"
                case "properties":
                    for name in due.keys() & value.keys():
                        self._match(value[name], due[name], f"{where}: {name}")
                case "items":
                    for one in value:
                        self._match(one, due, f"{where}: item")
                case "maxItems":
                    assert len(value) <= due, f"{where}: {len(value)} items"
                case "allOf":
                    for one in due:
                        self._match(value, one, where)
                case "description" | "pattern":
                    pass
                case _:
                    raise AssertionError(f"{where}: the word {word} is not known here")
