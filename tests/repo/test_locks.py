# SPDX-License-Identifier: Apache-2.0
"""The locks pin every dependency to hashes, agree with each other, and name no package index."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.locks import LOCKS, ROOT, entries, extra, group, project, runtime

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)")

Pins = dict[str, set[Version]]


def pins(lock: str) -> Pins:
    """The versions a lock pins, by package: more than one where Python versions differ."""
    found: Pins = defaultdict(set)
    for pinned in entries(lock):
        (specifier,) = pinned.specifier
        assert specifier.operator == "==", pinned
        found[canonicalize_name(pinned.name)].add(Version(specifier.version))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_carries_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert len(lines) > 1
    for entry in lines:
        assert 0 < len(HASH.findall(entry)) == entry.count("--hash"), entry[:60]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_option(lock: str) -> None:
    content = (ROOT / lock).read_text()
    assert "://" not in content
    options = re.findall(r"(?:^|\s)(--?[a-z][a-z-]*)", content)
    assert set(options) == {"--hash"}


@pytest.mark.parametrize(
    ("lock", "due"),
    [
        (LOCKS[0], [*runtime(), *group("build")]),
        (LOCKS[1], [*runtime(), *group("dev")]),
        (LOCKS[2], group("browser")),
    ],
    ids=LOCKS,
)
def test_a_lock_covers_what_pyproject_asks_for(lock: str, due: list[Requirement]) -> None:
    pinned = pins(lock)
    for requirement in due:
        versions = pinned[canonicalize_name(requirement.name)]
        assert versions, f"{requirement.name} is not in {lock}: make lock"
        for version in versions:
            assert requirement.specifier.contains(version), f"{requirement} has {version} in {lock}"


def test_the_extra_for_all_is_all_of_them() -> None:
    names = set(project()["project"]["optional-dependencies"])
    assert {"secure", "serve", "plots", "all"} <= names
    every = {str(entry) for name in names for entry in extra(name)}
    assert {str(entry) for entry in extra("all")} == every


def test_make_lock_resolves_every_extra() -> None:
    text = (ROOT / "Makefile").read_text()
    recipes = [line for line in text.splitlines() if line.startswith("\t$(UV_COMPILE) ")]
    assert [line.split()[-1] for line in recipes] == list(LOCKS)
    assert ["--all-extras" in line.split() for line in recipes] == [True, True, False]


def test_the_build_backend_is_locked_too() -> None:
    """The install step builds without isolation, so the lock is all that it fetches."""
    build = [Requirement(entry) for entry in project()["build-system"]["requires"]]
    assert {entry.name for entry in build} == {entry.name for entry in group("build")}


def test_the_locks_agree() -> None:
    runtime, dev, browser = map(pins, LOCKS)
    assert {name: dev[name] for name in runtime} == dict(runtime)
    assert [name for name in browser if dev.get(name, browser[name]) != browser[name]] == []


def test_the_lock_of_npm_pins_hashes_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "browser"
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    due = json.loads((folder / "package.json").read_text())["dependencies"]
    assert lock.pop("")["dependencies"] == due
    assert {f"node_modules/{name}" for name in due} == set(lock)
    for name, version in due.items():
        pinned = lock[f"node_modules/{name}"]
        assert pinned["version"] == version
        assert pinned["integrity"].startswith("sha512-")
        assert "resolved" not in pinned
