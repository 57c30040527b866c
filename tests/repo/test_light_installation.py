# SPDX-License-Identifier: Apache-2.0
"""Without an extra the wheel brings the suite and the oracle, and says in one line what it lacks.

The environment is a real one, made without a network: the built wheel, unpacked, beside links to
the distributions that its `dependencies` need, and nothing else.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ppmf_conformance import cases
from ppmf_spec.extras import EXTRA_OF
from tests.support.locks import extra, project
from tools.packages import FOLDERS, PACKAGES, ROOT

NODE_ADAPTER = "ppmf_conformance/adapters/node/adapter.mjs"

# What in the packages of the light installation needs an extra; all else in them does not.
NEEDS = {
    "ppmf_spec.objective": "symbolic",
    "ppmf_conformance.adapters.building_blocks": "secure",
    "ppmf_conformance.adapters.enrolment": "secure",
    "ppmf_conformance.adapters.lattice_blocks": "secure",
    "ppmf_conformance.adapters.link": "secure",
    "ppmf_conformance.adapters.named_draws": "secure",
    "ppmf_conformance.adapters.party": "secure",
    "ppmf_conformance.adapters.resumed_runs": "secure",
    "ppmf_conformance.adapters.server_user": "secure",
    "ppmf_conformance.adapters.shown_shares": "secure",
    "ppmf_conformance.adapters.toy_runs": "secure",
    "ppmf_conformance.adapters.transcripts": "secure",
    "ppmf_conformance.adapters.secure_operations": "secure",
    "ppmf_conformance.adapters.sessions_and_uploads": "secure",
    "ppmf_conformance.our_parties": "secure",
    "ppmf.bench": "secure",
    "ppmf.commands.audit": "secure",
    "ppmf.commands.backup": "secure",
    "ppmf.commands.bench": "secure",
    "ppmf.commands.enrol": "serve",
    "ppmf.commands.estimate": "secure",
    "ppmf.commands.report": "secure",
    "ppmf.commands.resume": "secure",
    "ppmf.commands.session": "secure",
    "ppmf.commands.session_folder": "secure",
    "ppmf.commands.session_shown": "secure",
    "ppmf.commands.train": "secure",
    "ppmf.demo": "secure",
    "ppmf.evaluation.plots": "plots",
    "ppmf.progress": "secure",
    "ppmf.run_folder": "secure",
    "ppmf.serving": "secure",
    "ppmf.commands.kept_session": "serve",
    "ppmf.commands.serve": "secure",
    "ppmf.commands.status": "serve",
    "ppmf.commands.submit": "secure",
    "ppmf.pair": "serve",
}
LIGHT = ("ppmf_spec", "ppmf_reference", "ppmf_conformance", "ppmf")
EXTRAS_OF = {  # the extras that a package may import; a package that is not named here, none
    "ppmf_spec": ("symbolic",),
    "ppmf_conformance": ("secure",),
    "ppmf_secure": ("secure", "cluster"),
    "ppmf_service": ("secure", "serve"),
    "ppmf_audit": ("secure",),
    "ppmf_costs": ("secure",),
    "ppmf": ("secure", "serve", "plots", "frames"),
}
COMMANDS = (
    "demo", "train", "resume", "oracle", "evaluate", "recommend", "similar", "audit", "estimate",
    "bench", "up", "status", "report", "backup", "restore", "serve", "submit",
    "session", "enrol", "params", "conformance",
)  # fmt: skip
OF_SECURE = ("demo", "train", "resume", "audit", "estimate", "bench")
OF_SERVE = ("up", "status", "report", "backup", "restore", "serve", "submit", "session", "enrol")
UNAVAILABLE = (*OF_SECURE, *OF_SERVE)


@dataclass(frozen=True, slots=True)
class Light:
    """The environment: its folder of packages, and `cwd`, where its programs run."""

    python: Path
    site: Path
    cwd: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, which sees nothing of this one."""
        return subprocess.run(
            [str(self.python), "-I", *arguments],
            cwd=self.cwd,
            env={"PATH": os.environ["PATH"], "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )

    def ppmf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its command `ppmf`."""
        return self.run("-m", "ppmf.main", *arguments)


def closure(wanted: list[Requirement]) -> dict[str, metadata.Distribution]:
    """The installed distributions that are needed here, each by its name."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(wanted)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found[name] = metadata.distribution(name)
        for chosen in ("", *requirement.extras):
            if (name, chosen) not in seen:
                seen.add((name, chosen))
                waiting += [
                    entry
                    for entry in map(Requirement, found[name].requires or ())
                    if entry.marker is None or entry.marker.evaluate({"extra": chosen})
                ]
    return found


@pytest.fixture(scope="session")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Light:
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    wanted = [Requirement(entry) for entry in project()["project"]["dependencies"]]
    for distribution in closure(wanted).values():
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (site / top).symlink_to(str(distribution.locate_file(top)))
    zipfile.ZipFile(wheel).extractall(site)
    (folder / "cwd").mkdir()
    return Light(folder / "venv" / "bin" / "python", site, folder / "cwd")


def says(line: str, extra_name: str) -> str:
    """What the one line says cannot be had without the extra; "" for any other line."""
    included = ("secure", "serve") if extra_name == "serve" else (extra_name,)
    packages = "|".join(package for package, of in EXTRA_OF.items() if of in included)
    advice = re.escape(f"pip install 'ppmf[{extra_name}]'")
    found = re.fullmatch(rf".*: (.+) needs ({packages}), which is not installed: {advice}", line)
    return found[1] if found else ""


def test_no_package_of_an_extra_is_there(light: Light) -> None:
    packages = list(EXTRA_OF)
    program = f"from importlib.util import find_spec; print(*filter(find_spec, {packages}))"
    assert light.run("-c", program).stdout == "\n"


def test_the_oracle_and_the_library_work(light: Light) -> None:
    program = """
import numpy as np, ppmf, ppmf_reference
params = ppmf.Parameters(rank=1, iterations=2)
stars = np.array([[4.5, 2.0], [5.0, np.nan]])
ratings = ppmf.ratings_from(stars, params, users=("1", "2"), items=("7", "8"))
enclosure = ppmf_reference.certified.train(ratings, params)
print(ppmf_reference.certified.distance(ppmf.train_fixed(ratings, params), enclosure).largest < 1)
for name in ("train_secure", "audit"):
    try:
        getattr(ppmf, name)
    except ImportError as error:
        print(f"{type(error).__name__}: {error}")
"""
    done = light.run("-W", "error", "-c", program)
    assert done.stderr == ""
    held, *refusals = done.stdout.splitlines()
    assert held == "True"
    assert refusals[0].startswith("MissingExtraError: ")
    assert [says(line, "secure") for line in refusals] == ["ppmf.train_secure", "ppmf.audit"]


def test_importing_the_library_loads_no_other_package(light: Light) -> None:
    program = "import sys; old = set(sys.modules); import ppmf; print(*set(sys.modules) - old)"
    loaded = {name.partition(".")[0] for name in light.run("-c", program).stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"ppmf", "ppmf_spec"}


def test_every_module_that_needs_no_extra_imports(light: Light) -> None:
    modules = sorted(
        ".".join(path.relative_to(light.site).with_suffix("").parts).removesuffix(".__init__")
        for package in LIGHT
        for path in (light.site / package).rglob("*.py")
    )
    program = """
import importlib, json, sys
missing = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(json.dumps(missing))
"""
    missing = json.loads(light.run("-c", program, json.dumps(modules)).stdout)
    assert missing.pop("ppmf_conformance.pytest_plugin") == "pytest"
    lacking = {}
    for module, package in missing.items():
        places = [one for one in NEEDS if module == one or module.startswith(f"{one}.")]
        lacking[places[0] if places else module] = EXTRA_OF[package]
    assert lacking == NEEDS


# --- the command ---


def test_help_lists_every_command(light: Light) -> None:
    shown = light.ppmf("--help").stdout
    listed = shown.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    for extra_name, commands in (("secure", OF_SECURE), ("serve", OF_SERVE)):
        told = [line for line in listed if f"pip install 'ppmf[{extra_name}]'" in line]
        assert [line.split()[0] for line in told] == list(commands)


@pytest.mark.parametrize(
    "arguments",
    [
        *([command] for command in UNAVAILABLE),
        ["train", "--help"],
        ["train", "ratings.csv", "--out", "run", "--suite", "rlwe-8192"],
        ["audit", "run/transcripts"],
    ],
    ids=" ".join,
)
def test_a_command_without_its_extra_says_so_in_one_line(
    light: Light, arguments: list[str]
) -> None:
    done = light.ppmf(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ppmf: error (installation): ")
    extra_name = "serve" if arguments[0] in OF_SERVE else "secure"
    assert says(line, extra_name) == f"`ppmf {arguments[0]}`"


def test_what_needs_no_extra_works(light: Light) -> None:
    ratings = light.cwd / "ratings.csv"
    ratings.write_text("userId,movieId,rating\n1,7,4.5\n1,8,2\n2,7,5\n")
    (light.cwd / "mine.csv").write_text("userId,movieId,rating\n9,8,3\n")
    adapter = [str(light.python), "-I", "-m", "ppmf_conformance.adapters.oracle"]
    for arguments in (
        ["--version"],
        ["params", "check", "--users", "9", "--items", "9"],
        ["params", "suggest", "--users", "9", "--items", "9"],
        *(
            ["oracle", "ratings.csv", "--out", f"{mode}.json", "--mode", mode]
            for mode in ("certified", "fixed")
        ),
        ["recommend", "--profiles", "fixed.json", "--ratings", "mine.csv"],
        ["similar", "7", "--profiles", "fixed.json"],
        ["conformance", "vectors", "--only", "prox/*"],
        ["conformance", "check", "--", *adapter],
        ["conformance", "run", "--only", "prox/*", "--report", "report", "--", *adapter],
    ):
        done = light.ppmf(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout


# --- the suite ---


def test_the_adapter_of_the_protocol_says_what_is_missing_in_one_line(light: Light) -> None:
    command = ["-m", "ppmf_conformance.adapters.secure"]
    done = light.run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ppmf: error (installation): ")
    assert says(line, "secure") == f"`python {' '.join(command)}`"
    asked = light.ppmf("conformance", "run", "--", str(light.python), "-I", *command)
    assert (asked.returncode, asked.stderr) == (5, "")
    assert line in asked.stdout


NAMES_ITSELF = """
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    if call["call"] == "hello":
        about = {"name": "mine", "version": "0", "language": "Python", "issues": ""}
        answer = {"protocol": 1, "implementation": about, "features": ["party.run", "words.round"],
                  "roles": ["users", "recsys", "csp"]}
    elif call["op"] == "words.round":
        a, b = int(call["in"]["a"]), int(call["in"]["b"])
        answer = {"seq": call["seq"], "status": "ok", "out": {"value": str((2 * a + b) // (2 * b))}}
    else:
        answer = {"seq": call["seq"], "status": "unsupported"}
    print(json.dumps(answer), flush=True)
"""


def runs_by_roles(alone: bool) -> str:
    """The id of a run in which the implementation plays alone, or with our parties."""
    found = (
        case.id
        for case in cases.shipped().cases
        if case.op == "party.run" and (len(case.given["roles"]) == 3) is alone
    )
    return next(found)


@pytest.mark.req("PPMF-CON-015")
def test_a_run_with_our_parties_is_reported_as_not_run(light: Light) -> None:
    (light.cwd / "mine.py").write_text(NAMES_ITSELF)
    ours, alone = runs_by_roles(alone=False), runs_by_roles(alone=True)
    adapter = ["--", str(light.python), "mine.py"]
    done = light.ppmf("conformance", "run", "--only", ours, *adapter)
    assert not_run(done.stdout) == [ours]
    assert done.returncode == 5  # no case was asked
    done = light.ppmf("conformance", "run", "--only", ours, "--only", "words/round-*", *adapter)
    assert not_run(done.stdout) == [ours]
    assert "12 pass" in done.stdout
    assert done.returncode == 1  # not everything ran
    done = light.ppmf("conformance", "run", "--only", alone, *adapter)
    assert f"unsupported {alone}" in done.stdout  # it was asked: no party of ours is wanted
    assert done.returncode == 1


def not_run(shown: str) -> list[str]:
    """The cases that are reported as not run for want of the extra."""
    lines = [line for line in shown.splitlines() if line.startswith("not-run ")]
    assert {says(line, "secure") for line in lines} <= {"a run with our own parties"}
    return [line.split()[1].removesuffix(":") for line in lines]


def test_the_node_adapter_passes_a_case_of_every_operation_but_whole_runs(light: Light) -> None:
    """In a whole run some of the parties are ours, and these need an extra. All cases are put to
    this adapter in tests/conformance/test_node_adapter.py.
    """
    node = shutil.which("node")
    if node is None:
        return
    ours = {case.family for case in cases.shipped().cases if case.op == "party.run"}
    others = [case for case in cases.shipped().cases if case.family not in ours]
    first, last = ({case.op: case.id for case in some} for some in (others[::-1], others))
    chosen = sorted({*first.values(), *last.values()})
    only = [word for case_id in chosen for word in ("--only", case_id)]
    done = light.ppmf("conformance", "run", *only, "--", node, str(light.site / NODE_ADAPTER))
    assert done.returncode == 0, done.stdout + done.stderr


# --- pyproject.toml against the imports ---


def third_party(package: str) -> dict[str, set[str]]:
    """The distributions that a package's modules import, by module."""
    distributions = metadata.packages_distributions()
    (folder,) = (ROOT / one for one in FOLDERS if Path(one).name == package)
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        tops = {top for top in imported(path) if top not in sys.stdlib_module_names}
        found[str(path.relative_to(folder))] = {
            canonicalize_name(name)
            for top in tops - set(PACKAGES)
            for name in distributions.get(top, [top])
        }
    return found


def imported(path: Path) -> Iterator[str]:
    """The names at the root of what a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def used(packages: Iterator[str] | tuple[str, ...]) -> set[str]:
    return {name for one in packages for names in third_party(one).values() for name in names}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def light_names() -> set[str]:
    return names([Requirement(entry) for entry in project()["project"]["dependencies"]])


def test_every_dependency_is_imported_by_a_package_of_the_light_installation() -> None:
    assert light_names() - used(LIGHT) == set()


@pytest.mark.parametrize("name", ["secure", "cluster", "plots", "frames", "symbolic"])
def test_every_dependency_of_an_extra_is_imported_where_it_is_needed(name: str) -> None:
    packages = tuple(package for package, extras in EXTRAS_OF.items() if name in extras)
    assert names(extra(name)) - used(packages) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_pyproject_lists_for_it(package: str) -> None:
    allowed = light_names() | {
        name for one in EXTRAS_OF.get(package, ()) for name in names(extra(one))
    }
    own = {
        module: found - allowed
        for module, found in third_party(package).items()
        if module != "pytest_plugin.py"  # a plugin of whoever has pytest
    }
    assert {module: found for module, found in own.items() if found} == {}


def test_the_program_knows_the_packages_of_every_extra() -> None:
    extras = sorted(set(EXTRA_OF.values()))
    listed = project()["project"]["optional-dependencies"]
    asked = {  # without those of an extra that it includes
        name: names([entry for entry in map(Requirement, listed[name]) if not entry.extras])
        for name in extras
    }
    known = {
        name: {canonicalize_name(package) for package, of in EXTRA_OF.items() if of == name}
        for name in extras
    }
    assert known == asked
    assert set().union(*asked.values()) == names(extra("all"))
