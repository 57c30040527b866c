# SPDX-License-Identifier: Apache-2.0
"""The locks pin every dependency to hashes, agree with each other, and name no package index."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)")

Pins = dict[str, set[Version]]


def pins(lock: str) -> Pins:
    """The versions a lock pins, by package: more than one where Python versions differ."""
    found: Pins = defaultdict(set)
    for entry in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        if entry and not entry.startswith("#"):
            pinned = Requirement(entry.split(" --hash", 1)[0])
            (specifier,) = pinned.specifier
            assert specifier.operator == "==", entry
            found[canonicalize_name(pinned.name)].add(Version(specifier.version))
    return found


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group(name: str) -> list[Requirement]:
    """The requirements of a dependency group, the groups that it includes among them."""
    found: list[Requirement] = []
    for entry in project()["dependency-groups"][name]:
        found += group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_carries_hashes(lock: str) -> None:
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    assert len(entries) > 20
    for entry in entries:
        assert 0 < len(HASH.findall(entry)) == entry.count("--hash"), entry[:60]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_option(lock: str) -> None:
    content = (ROOT / lock).read_text()
    assert "://" not in content
    options = re.findall(r"(?:^|\s)(--?[a-z][a-z-]*)", content)
    assert set(options) == {"--hash"}


@pytest.mark.parametrize(("lock", "groups"), [(LOCKS[0], ["build"]), (LOCKS[1], ["dev"])])
def test_a_lock_covers_what_pyproject_asks_for(lock: str, groups: list[str]) -> None:
    pinned = pins(lock)
    wanted = [Requirement(entry) for entry in project()["project"]["dependencies"]]
    for requirement in wanted + [entry for name in groups for entry in group(name)]:
        versions = pinned[canonicalize_name(requirement.name)]
        assert versions, f"{requirement.name} is not in {lock}: make lock"
        for version in versions:
            assert requirement.specifier.contains(version), f"{requirement} has {version} in {lock}"


def test_the_build_backend_is_locked_too() -> None:
    """The install step builds without isolation, so the lock is all that it fetches."""
    build = [Requirement(entry) for entry in project()["build-system"]["requires"]]
    assert {entry.name for entry in build} == {entry.name for entry in group("build")}


def test_both_locks_agree() -> None:
    runtime, dev = pins(LOCKS[0]), pins(LOCKS[1])
    assert {name: dev[name] for name in runtime} == dict(runtime)
