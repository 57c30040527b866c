# SPDX-License-Identifier: Apache-2.0
"""No new release of a dependency can break an installation: the locks are complete, pip obeys them.

Version 1 broke this way: pytest-cov asks for `coverage[toml]`, the lock pins `coverage`, and pip
went looking for the extra on its own as soon as a newer `coverage` had come out.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import LOCKS, ROOT, entries, group, runtime

Environment = Mapping[str, str]

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))


def environments() -> Iterator[dict[str, str]]:
    """The kinds of machine that the locks are made for, as markers see them."""
    for python in PYTHONS:
        for platform, system, name in SYSTEMS:
            yield {
                **{key: str(value) for key, value in default_environment().items()},
                "python_version": python,
                "python_full_version": f"{python}.9",
                "sys_platform": platform,
                "platform_system": system,
                "os_name": name,
            }


def applies(requirement: Requirement, environment: Environment, extra: str = "") -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})


def locked_in(lock: str, environment: Environment) -> dict[str, str]:
    """The version of every package that the lock installs on that kind of machine."""
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry in entries(lock)
        if applies(entry, environment)
    }


@cache
def asked_for(name: str, version: str) -> tuple[Requirement, ...] | None:
    """What a package asks for; None where another version than the one installed here is meant."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if found.version != version:
        return None
    return tuple(Requirement(line) for line in found.requires or ())


def unmet(lock: str, roots: list[Requirement], environment: Environment) -> list[str]:
    """The requirements, from these on, that no entry of the lock meets on that kind of machine."""
    locked = locked_in(lock, environment)
    wrong, seen, waiting = [], set(), [("pyproject.toml", root) for root in roots]
    while waiting:
        source, wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        version = locked.get(name)
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{source} asks for {wanted}, locked: {version}")
            continue
        for extra in ("", *sorted(wanted.extras)):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [
                    (name, entry)
                    for entry in asked_for(name, version) or ()
                    if applies(entry, environment, extra)
                ]
    return wrong


def roots_of(lock: str) -> list[Requirement]:
    return runtime() + group("build" if lock == LOCKS[0] else "dev")


@pytest.mark.parametrize("lock", LOCKS[:2])
def test_every_requirement_of_every_locked_package_is_met_by_the_lock(lock: str) -> None:
    wrong = {line for kind in environments() for line in unmet(lock, roots_of(lock), kind)}
    assert sorted(wrong) == []


@pytest.mark.parametrize("lock", LOCKS[:2])
def test_the_versions_installed_here_are_those_of_the_lock(lock: str) -> None:
    """Otherwise `asked_for` knows little, and the test above says little."""
    here = {key: str(value) for key, value in default_environment().items()}
    locked = locked_in(lock, here)
    assert [name for name in locked if asked_for(name, locked[name]) is None] == []


def test_a_requirement_that_no_lock_meets_is_seen() -> None:
    here = {key: str(value) for key, value in default_environment().items()}
    assert unmet(LOCKS[1], [Requirement("pytest-cov[no-such-extra]>=5")], here) == []
    assert unmet(LOCKS[1], [Requirement("pytest>=99")], here)
    assert unmet(LOCKS[0], [Requirement("pytest-cov>=5")], here)


def install_command(environment: Path) -> list[str]:
    """The Makefile's own command for a lock, in another virtual environment."""
    rule = "asked:; @echo $(LOCKED)"
    shown = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"VENV={environment}", f"--eval={rule}", "asked"],
        check=True,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    ).stdout
    return shlex.split(shown)


def make_wheel(folder: Path, name: str, version: str, *headers: str) -> str:
    """An empty package in a package index on disk; the SHA-256 of its wheel."""
    wheel = folder / name / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *headers]
    tags = ["Wheel-Version: 1.0", "Generator: test", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", "\n".join(tags) + "\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with (wheel.parent / "index.html").open("a") as page:
        page.write(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n')
    return digest


def test_an_index_that_offers_a_newer_coverage_changes_nothing(tmp_path: Path) -> None:
    index = tmp_path / "index"
    pinned = {
        "coverage==7.17.3": make_wheel(index, "coverage", "7.17.3", "Provides-Extra: toml"),
        "pytest-cov==7.1.0": make_wheel(
            index, "pytest-cov", "7.1.0", "Requires-Dist: coverage[toml]>=7.10.6"
        ),
    }
    make_wheel(index, "coverage", "7.17.5", "Provides-Extra: toml")
    lock = tmp_path / "requirements.lock"
    lock.write_text("".join(f"{one} --hash=sha256:{digest}\n" for one, digest in pinned.items()))
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True, symlinks=True)
    done = subprocess.run(
        [*install_command(environment), "-r", str(lock)],
        env={
            "PATH": os.environ["PATH"],
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.as_uri(),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert installed_versions(environment) == {"coverage": "7.17.3", "pytest-cov": "7.1.0"}


def installed_versions(environment: Path) -> dict[str, str]:
    (site,) = environment.glob("lib/python*/site-packages")
    found = {each.name: each.version for each in metadata.distributions(path=[str(site)])}
    return {name: found[name] for name in found if name not in ("pip", "setuptools")}


def test_the_makefile_asks_pip_for_nothing_but_what_is_locked() -> None:
    command = install_command(Path(sys.prefix))
    assert {"--no-deps", "--require-hashes"} <= set(command)
    recipes = (ROOT / "Makefile").read_text().splitlines()
    installs = [line for line in recipes if line.startswith("\t") and "install" in line]
    assert [line for line in installs if "$(PIP) install" in line and "--no-deps" not in line] == []
