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
import math
import os
import random
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
from statistics import NormalDist

from tools.mutation import typecheck
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
        "do_not_mutate": [f"src/{package}/{name}" for name in wanted.get("without", [])],
        "also_copy": READ_BY_TESTS,
        "pytest_add_cli_args": ["-p", "forked_session", "-p", "no:cacheprovider", "-m", "not slow"],
        "pytest_add_cli_args_test_selection": wanted["tests"],
        "track_dependencies": False,
        "use_git_change_detection": False,
        # mutmut's own limit, a loose one: forked_session.py sets those that matter.
        "timeout_constant": 100.0,
        "timeout_multiplier": 10.0,
    }
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


# mutmut watches the tests pass when it records what they call, and here does not run them again.
MUTMUT = """
import mutmut.__main__ as program
from mutmut.state import state
def quickest(_):
    took = state().duration_by_test
    return {min(took, key=took.get)}
program.tests_for_mutant_names = quickest
program.cli()
"""


def mutmut(target: str, work: Path, profile: str, budget: float, names: list[str]) -> None:
    """Run mutmut in one process over the named mutants, or over all that have no verdict yet."""
    command = [sys.executable, "-c", MUTMUT, "run", "--max-children", "1", *names]
    told = environment(target, work, profile, budget)
    subprocess.run(command, cwd=work, env=told, check=True)


# mutmut writes the mutants anew where code has changed, and keeps the other verdicts.
GENERATE = """
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants, setup_source_paths
copy_src_dir(), copy_also_copy_files(), setup_source_paths(), create_mutants(1)
"""


def generate(target: str, work: Path) -> None:
    """Write the mutants, and mypy's verdicts, without running any test."""
    told = environment(target, work, "mutation", 0) | {"MUTANT_UNDER_TEST": "mutant_generation"}
    subprocess.run([sys.executable, "-c", GENERATE], cwd=work, env=told, check=True)
    mutants, package = work / "mutants", TARGETS[target]["package"]
    refused = typecheck.refused(package, mutants) if TARGETS[target]["types"] else set()
    for meta in (mutants / "src" / package).rglob("*.meta"):
        module = meta.relative_to(mutants / "src").as_posix().removesuffix(".meta")
        verdicts = json.loads(meta.read_text(encoding="utf-8"))
        codes = verdicts["exit_code_by_key"]
        for key, code in codes.items():
            now = (module, key.rpartition(".")[2]) in refused
            if now != (code in REFUSED_BY_MYPY):
                codes[key] = min(REFUSED_BY_MYPY) if now else None
        meta.write_text(json.dumps(verdicts, indent=4), encoding="utf-8")


def draw(target: str, work: Path, number: int, seed: int) -> set[str]:
    """`number` of the mutants that mypy lets pass, each as likely as any other.

    A larger number with the same seed only adds to a smaller one.
    """
    keys = sorted(mutant.key for mutant in read(target, work) if mutant.verdict != "mypy")
    random.Random(seed).shuffle(keys)
    return set(keys[:number])


# Every function that importing the package calls; mutmut's trampolines record them.
IMPORTS = """
import importlib, json, pkgutil, sys
from mutmut.state import state
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}."):
    importlib.import_module(module.name)
print(json.dumps(sorted(state()._stats)))
"""


def afresh(target: str, work: Path, wanted: list[Mutant]) -> None:
    """Try again those mutants whose function an import calls, each in a process of its own.

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
    for mutant in wanted:
        if mutant.key.partition("__mutmut_")[0] in called:
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


def report(target: str, work: Path, chosen: set[str] | None) -> bool:
    """Print the table of a target and its unexplained survivors; whether nine in ten are dead.

    Only the mutants drawn are counted where there is a sample, and those that mypy refuses.
    """
    known = Argued()
    counts: dict[str, Counter[str]] = {}
    for mutant in read(target, work):
        row = counts.setdefault(mutant.module, Counter())
        verdict = mutant.verdict
        row["mutants"] += 1
        row["mypy"] += verdict == "mypy"
        if verdict == "mypy" or (chosen is not None and mutant.key not in chosen):
            continue
        if verdict in ALIVE:
            verdict = known.verdict(mutant) or verdict
        if verdict in ALIVE:
            tag = ", only words of an error" if mutant.message_only else ""
            print(f"{mutant.key}: {verdict}{tag}\n  - {mutant.before}\n  + {mutant.after}")
        row[verdict] += 1
        if verdict not in ("equivalent", "not run"):
            kind = "words" if mutant.message_only else "logic"
            row[kind] += 1
            row[f"dead {kind}"] += verdict in DEAD
    whole = [module for module, row in counts.items() if chosen is None and not row["not run"]]
    for place in known.stale(whole):
        print("survivors.toml argues about what does not live:", *place, sep="\n    ")
    return table(counts, of_a_sample=chosen is not None)


def table(counts: dict[str, Counter[str]], *, of_a_sample: bool) -> bool:
    """Print the figures of each module and of all; whether the tests stop nine in ten."""
    total: Counter[str] = sum(counts.values(), Counter())
    print("| module | mutants | mypy | run | tests | time | equivalent | alive | dead |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, row in [*((f"`{name}`", row) for name, row in counts.items()), ("all", total)]:
        counted, dead = row["words"] + row["logic"], row["dead words"] + row["dead logic"]
        share = f"{dead / counted:.1%}" if counted else ""
        if row["mutants"]:
            print(
                f"| {name} | {row['mutants']} | {row['mypy']} | {counted + row['equivalent']} | "
                f"{row['killed']} | {row['timeout']} | {row['equivalent']} | {counted - dead} | "
                f"{share} |"
            )
    counted, dead = total["words"] + total["logic"], total["dead words"] + total["dead logic"]
    if of_a_sample:
        low, high = interval(dead, counted)
        print(f"of a sample of {counted}: 95 % interval {low:.1%} to {high:.1%}")
    of_logic = total["dead logic"] / max(1, total["logic"])
    print(f"without the {total['words']} in the words of errors: {of_logic:.1%}")
    if total["not run"]:
        print(f"{total['not run']} have not been run")
    return dead >= 0.9 * counted


def interval(dead: int, counted: int) -> tuple[float, float]:
    """Wilson's interval for a share, of 95 %: what all mutants would show, from those drawn.

    It is made for draws from infinitely many, so it is a little wide where many were drawn.
    """
    if counted == 0:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf(0.975), dead / counted
    half = z * math.sqrt(share * (1 - share) / counted + (z / counted) ** 2 / 4)
    middle, scale = share + z * z / (2 * counted), 1 + z * z / counted
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def run(target: str, work: Path, names: list[str], chosen: set[str] | None) -> None:
    """Try the mutants: once each, and what survives unexplained once more, and harder."""
    budget, said = TARGETS[target]["budget"], Argued().verdict

    def living() -> list[Mutant]:
        """What lives of those that this run is about, without an argument."""
        about = [m for m in read(target, work) if m.verdict in ALIVE and said(m) is None]
        if chosen is not None:
            return [m for m in about if m.key in chosen]
        return [m for m in about if any(fnmatchcase(m.key, name) for name in names or ["*"])]

    if chosen is not None:
        names = [m.key for m in read(target, work) if m.key in chosen and m.verdict == "not run"]
    if names or chosen is None:
        mutmut(target, work, "mutation", budget, names)
    if again := [m.key for m in living() if m.verdict == "survived"]:
        mutmut(target, work, "mutation-more", 5 * budget, again)
    afresh(target, work, living())


def main() -> int:
    """Run or report one target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("names", nargs="*", help="mutants by name or pattern; all when none")
    parser.add_argument("--sample", type=int, help="how many mutants to draw; all without it")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (1)")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "mutation")
    arguments = parser.parse_args()
    target, work = arguments.target, arguments.work.resolve() / arguments.target
    if arguments.sample is not None and arguments.names:
        parser.error("a sample is of all mutants of a target: give no names")
    began, chosen = time.monotonic(), None
    if arguments.action == "run":
        prepare(target, work)
        generate(target, work)
    if arguments.sample is not None:
        chosen = draw(target, work, arguments.sample, arguments.seed)
    if arguments.action == "run":
        run(target, work, arguments.names, chosen)
        print(f"{time.monotonic() - began:.0f} s")
    return 0 if report(target, work, chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
