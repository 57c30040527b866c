# SPDX-License-Identifier: Apache-2.0
"""Mutation testing with mutmut: `python -m tools.mutation.mutants run spec [pattern ...]`.

mutmut requires every package below one folder `src`, and here each package has a folder of its own.
A target is therefore mutated in a working copy of the repository, with the packages moved into one
folder, and nothing is written here.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tools.packages import FOLDERS, PACKAGES, ROOT

HERE = Path(__file__).resolve().parent
TARGETS = tomllib.loads((HERE / "targets.toml").read_text(encoding="utf-8"))
READ_BY_TESTS = ["spec", "docs", "benchmarks", "tests", "tools", "pyproject.toml"]
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "_build", "mutation", *PACKAGES)
PYTHONPATH = re.compile(r"^pythonpath = .*$", re.MULTILINE)

# mutmut's own exit codes; anything that is not a pass or "no tests" stopped the mutant.
SURVIVED, NO_TESTS, REFUSED_BY_MYPY = {0}, {5, 33}, {37}
TIMEOUT = {-24, -14, 24, 36, 152, 255}
ALIVE = {"survived", "no tests"}
DEAD = {"killed", "timeout", "mypy"}


@dataclass(frozen=True)
class Mutant:
    """One mutant: `before` and `after` are the lines of the function that it changes."""

    key: str
    module: str
    function: str
    before: str
    after: str
    verdict: str

    @property
    def message_only(self) -> bool:
        """Whether the mutant changes nothing but the words of an error."""
        return is_message(self.before, self.after)


RAISED = re.compile(r"(raise \w+|_refuse)\(")
LITERAL = re.compile(r"""f?(["']).*\1[,)]*""").fullmatch


def is_message(before: str, after: str) -> bool:
    """Whether a change lies in the words of an error.

    Either a raise that still raises the same class, or a line that is nothing but a string, as the
    lines of a long message are.
    """
    one, two = RAISED.search(before), RAISED.search(after)
    if one is not None and two is not None:
        return one[1] == two[1]
    return LITERAL(before) is not None and LITERAL(after) is not None


def mutmut_section(target: str) -> str:
    """Mutmut's configuration for a target, as TOML."""
    wanted = TARGETS[target]
    package = str(wanted["package"])
    settings: dict[str, object] = {
        "source_paths": ["src"],
        "only_mutate": [f"src/{package}/{name}" for name in wanted["modules"]],
        "also_copy": READ_BY_TESTS,
        "pytest_add_cli_args": ["-p", "forked_session", "-p", "no:cacheprovider", "-m", "not slow"],
        "pytest_add_cli_args_test_selection": wanted["tests"],
        "track_dependencies": False,
        "use_git_change_detection": False,
        # mutmut's own limit, a loose one: forked_session.py sets those that matter.
        "timeout_constant": 100.0,
        "timeout_multiplier": 10.0,
    }
    if wanted["types"]:
        checker = [sys.executable, str(HERE / "typecheck.py"), package, "mypy"]
        settings["type_check_command"] = checker
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"


def prepare(target: str, work: Path) -> None:
    """Make or refresh the working copy; a function left unchanged keeps its dead mutants."""
    # Python would remember that this folder of PYTHONPATH is not there.
    (work / "mutants" / "src").mkdir(parents=True, exist_ok=True)
    changed = [refresh(ROOT / folder, work / "src" / Path(folder).name) for folder in FOLDERS]
    changed += [refresh(ROOT / name, work / name) for name in READ_BY_TESTS[:-1]]
    if any(changed):
        forget_the_living(work / "mutants")
    forget_the_gone(work)
    # mutmut copies the tests' folders anew, but never removes a file that is gone.
    for name in READ_BY_TESTS[:-1]:
        shutil.rmtree(work / "mutants" / name, ignore_errors=True)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pyproject = PYTHONPATH.sub('pythonpath = ["src", "."]', pyproject)
    pyproject = re.sub(r"^cache_dir = .*\n", "", pyproject, flags=re.MULTILINE)
    (work / "pyproject.toml").write_text(pyproject + mutmut_section(target), encoding="utf-8")


def refresh(source: Path, copy: Path) -> bool:
    """Make `copy` equal `source`, leaving unchanged files alone; whether anything changed."""
    if source.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists() and copy.read_bytes() == source.read_bytes():
            return False
        shutil.copyfile(source, copy)
        return True
    entries = {entry.name for entry in source.iterdir()}
    wanted = entries - NOT_COPIED(str(source), sorted(entries))
    copy.mkdir(parents=True, exist_ok=True)
    gone = [old for old in copy.iterdir() if old.name not in wanted]
    for old in gone:
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    news = [refresh(source / name, copy / name) for name in sorted(wanted)]
    return any(news) or bool(gone)


def forget_the_gone(work: Path) -> None:
    """Remove the mutated copies and the verdicts of modules that are no longer there.

    mutmut leaves them, and an import of all modules would fail in them.
    """
    mutated = work / "mutants" / "src"
    for copy in list(mutated.rglob("*.py")):
        if not (work / "src" / copy.relative_to(mutated)).exists():
            for name in (copy.name, f"{copy.name}.meta", f"{copy.name}.spans"):
                copy.with_name(name).unlink(missing_ok=True)


def forget_the_living(mutants: Path) -> None:
    """Remove the verdicts of living mutants: with other tests or other code they may die."""
    (mutants / "mutmut-stats.json").unlink(missing_ok=True)
    for meta in mutants.rglob("*.meta"):
        verdicts = json.loads(meta.read_text(encoding="utf-8"))
        codes = verdicts["exit_code_by_key"]
        verdicts["exit_code_by_key"] = {
            key: None if verdict_of(code) in ALIVE else code for key, code in codes.items()
        }
        meta.write_text(json.dumps(verdicts, indent=4), encoding="utf-8")


def environment(target: str, work: Path, profile: str, budget: float) -> dict[str, str]:
    """The environment variables of the processes that run tests."""
    first: list[str] = TARGETS[target].get("first", [])
    return os.environ | {
        "HYPOTHESIS_PROFILE": profile,
        "PPMF_MUTATION_BUDGET": str(budget),
        "PPMF_MUTATION_FIRST": ",".join(first),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(work / "mutants" / "src")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def mutmut(target: str, work: Path, profile: str, budget: float, names: list[str]) -> None:
    """Run mutmut in one process over the named mutants, or over all that have no verdict yet."""
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1", *names]
    told = environment(target, work, profile, budget)
    subprocess.run(command, cwd=work, env=told, check=True)


# Every function that importing the package calls; mutmut's trampolines record them.
IMPORTS = """
import importlib, json, pkgutil, sys
from mutmut.state import state
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}."):
    importlib.import_module(module.name)
print(json.dumps(sorted(state()._stats)))
"""


def afresh(target: str, work: Path) -> None:
    """Try again the living mutants of functions that an import calls, each in a process of its own.

    A forked session has imported everything before its mutant is switched on.
    """
    package, inside = TARGETS[target]["package"], work / "mutants"
    told = environment(target, work, "mutation", TARGETS[target]["budget"])
    listing = subprocess.run(
        [sys.executable, "-c", IMPORTS, package],
        cwd=inside,
        env=told | {"MUTANT_UNDER_TEST": "stats"},
        stdout=subprocess.PIPE,
        check=True,
    )
    called = set(json.loads(listing.stdout.splitlines()[-1]))
    options = ["-x", "-q", "--rootdir=.", "-p", "forked_session", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "-m", "not slow"]
    for mutant in list(read(target, work)):
        if mutant.verdict in ALIVE and mutant.key.partition("__mutmut_")[0] in called:
            named = told | {"MUTANT_UNDER_TEST": mutant.key}
            tests = TARGETS[target]["tests"]
            code = subprocess.run([*command, *tests], cwd=inside, env=named).returncode
            meta = inside / "src" / f"{mutant.module}.meta"
            verdicts = json.loads(meta.read_text(encoding="utf-8"))
            verdicts["exit_code_by_key"][mutant.key] = code
            meta.write_text(json.dumps(verdicts, indent=4), encoding="utf-8")


def read(target: str, work: Path) -> Iterator[Mutant]:
    """Every mutant of a target with its verdict, from the files that mutmut leaves."""
    for meta in sorted((work / "mutants" / "src" / TARGETS[target]["package"]).rglob("*.meta")):
        module = meta.relative_to(work / "mutants" / "src").as_posix().removesuffix(".meta")
        lines = meta.with_suffix("").read_text(encoding="utf-8").splitlines()
        spans = json.loads(meta.with_suffix(".spans").read_text(encoding="utf-8"))["spans"]
        for key, code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            name = key.rpartition(".")[2]
            plain = name.partition("__mutmut_")[0]
            original, mutated = (
                [line.replace(one, plain) for line in lines[spans[one][0] - 1 : spans[one][1]]]
                for one in (f"{plain}__mutmut_orig", name)
            )
            before, after = changed(original, mutated)
            function = plain.removeprefix("x").removeprefix("_").strip("ǁ").replace("ǁ", ".")
            yield Mutant(key, module, function, before, after, verdict_of(code))


def changed(original: list[str], mutated: list[str]) -> tuple[str, str]:
    """The lines that differ, joined and without indentation."""
    steps = difflib.SequenceMatcher(None, original, mutated, autojunk=False).get_opcodes()
    places = [step for step in steps if step[0] != "equal"]
    before = [line.strip() for _, lo, hi, _, _ in places for line in original[lo:hi]]
    after = [line.strip() for _, _, _, lo, hi in places for line in mutated[lo:hi]]
    return " ".join(before), " ".join(after)


def verdict_of(code: int | None) -> str:
    """The verdict that mutmut's exit code stands for."""
    if code is None:
        return "not run"
    if code in SURVIVED:
        return "survived"
    if code in NO_TESTS:
        return "no tests"
    if code in REFUSED_BY_MYPY:
        return "mypy"
    return "timeout" if code in TIMEOUT else "killed"


class Argued:
    """The arguments of survivors.toml about single mutants and classes of mutants."""

    def __init__(self) -> None:
        said = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))
        self._classes = [
            (re.compile("|".join(kind["forget"])), str(kind["verdict"])) for kind in said["class"]
        ]
        self._singles = {
            (entry["module"], entry["function"], entry["before"], after): str(entry["verdict"])
            for entry in said["mutant"]
            for after in entry["after"]
        }
        self._met: set[tuple[str, str, str, str]] = set()

    def verdict(self, mutant: Mutant) -> str | None:
        """The verdict on a living mutant; None if there is no argument about it."""
        place = (mutant.module, mutant.function, mutant.before, mutant.after)
        if place in self._singles:
            self._met.add(place)
            return self._singles[place]
        for forget, verdict in self._classes:
            if forget.sub("", mutant.before) == forget.sub("", mutant.after):
                return verdict
        return None

    def stale(self, modules: Collection[str]) -> list[tuple[str, str, str, str]]:
        """The entries of these modules that no living mutant matches any more."""
        return sorted(place for place in self._singles.keys() - self._met if place[0] in modules)


def report(target: str, work: Path) -> bool:
    """Print the table of a target and its unexplained survivors; whether nine in ten are dead.

    Modules of which no mutant was run are left out, as after a run of some mutants only.
    """
    known = Argued()
    counts: dict[str, Counter[str]] = {}
    for mutant in read(target, work):
        verdict = mutant.verdict
        if verdict in ALIVE:
            verdict = known.verdict(mutant) or verdict
        if verdict in ALIVE:
            tag = ", only words of an error" if mutant.message_only else ""
            print(f"{mutant.key}: {verdict}{tag}\n  - {mutant.before}\n  + {mutant.after}")
        row = counts.setdefault(mutant.module, Counter())
        row[verdict] += 1
        counted = verdict not in ("equivalent", "not run")
        row["words" if mutant.message_only else "logic"] += counted
        row["dead logic"] += verdict in DEAD and not mutant.message_only
    counts = {module: row for module, row in counts.items() if ran(row)}
    for place in known.stale([module for module, row in counts.items() if not row["not run"]]):
        print("survivors.toml argues about what does not live:", *place, sep="\n    ")
    return table(counts)


def ran(row: Counter[str]) -> int:
    """How many mutants of a module were run."""
    return row["words"] + row["logic"] + row["equivalent"]


def table(counts: dict[str, Counter[str]]) -> bool:
    """Print the figures of each module and of all; whether nine in ten are dead."""
    total: Counter[str] = sum(counts.values(), Counter())
    print("| module | mutants | mypy | tests | time | equivalent | alive | dead |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    share = 0.0
    for name, row in [*((f"`{name}`", row) for name, row in counts.items()), ("all", total)]:
        dead, counted = sum(row[verdict] for verdict in DEAD), row["words"] + row["logic"]
        share = dead / max(1, counted)
        print(
            f"| {name} | {ran(row) + row['not run']} | {row['mypy']} | {row['killed']} | "
            f"{row['timeout']} | {row['equivalent']} | {counted - dead} | {share:.1%} |"
        )
    of_logic = total["dead logic"] / max(1, total["logic"])
    print(f"without the {total['words']} in the words of errors: {of_logic:.1%}")
    if total["not run"]:
        print(f"{total['not run']} have not been run")
    return share >= 0.9


def main() -> int:
    """Run or report one target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("names", nargs="*", help="mutants by name or pattern; all when none")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "mutation")
    arguments = parser.parse_args()
    work = arguments.work.resolve() / arguments.target
    if arguments.action == "run":
        began = time.monotonic()
        prepare(arguments.target, work)
        budget = TARGETS[arguments.target]["budget"]
        mutmut(arguments.target, work, "mutation", budget, arguments.names)
        said, wanted = Argued().verdict, arguments.names or ["*"]
        alive = [m for m in read(arguments.target, work) if m.verdict == "survived"]
        alive = [m for m in alive if any(fnmatchcase(m.key, name) for name in wanted)]
        if again := [m.key for m in alive if said(m) is None]:
            mutmut(arguments.target, work, "mutation-more", 5 * budget, again)
        afresh(arguments.target, work)
        print(f"{time.monotonic() - began:.0f} s")
    return 0 if report(arguments.target, work) else 1


if __name__ == "__main__":
    raise SystemExit(main())
