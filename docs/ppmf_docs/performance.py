# SPDX-License-Identifier: Apache-2.0
"""The page "What it costs": tables from the files that `ppmf bench` writes.

The page shows all of `benchmarks/results/*.json`, and says so where no file has a part.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ppmf.evaluation.tried_sets import VERSION_1
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts, bytes_sent
from ppmf_docs.tables import count, quantity, seconds, table
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
FORMAT = "ppmf-bench/1"
PLOTS = {
    "phases.svg": "Bars: which part of a training's seconds each phase takes",
    "ratios.svg": "Bars: seconds on SPU CHEETAH divided by seconds here, by piece of work",
    "scaling.svg": "Lines: seconds and bytes of the iterations against users, items, rank and T",
}
SIZES = ((610, 9724), (943, 1682), (6040, 3706))
"""Users and items of MovieLens latest-small, 100K and 1M."""

Result = dict[str, Any]


BROWSER = "browser.json"
"""What the users' page costs a browser, which `make test-browser ARGS=--measure` writes."""


@cache
def results() -> dict[str, Result]:
    """The results by the names of their files."""
    found = {
        path.name: json.loads(path.read_text())
        for path in sorted(RESULTS.glob("*.json"))
        if path.name != BROWSER
    }
    wrong = [name for name, result in found.items() if result.get("format") != FORMAT]
    if wrong:
        raise ValueError(f"not of format {FORMAT}: {', '.join(wrong)}")
    return found


def parts(name: str) -> list[tuple[str, Any]]:
    """A part of the results, from each file that has it."""
    return [(file, result[name]) for file, result in results().items() if name in result]


def measured_on() -> str:
    """The machine and the versions with which each file was made."""
    rows = []
    for file, result in results().items():
        versions = result["versions"]
        tools = ", ".join(f"{name} {versions[name]}" for name in ("python", "numpy", "gmpy2"))
        data = re.sub(r": \S+ \(", " (", result["data"])  # without the path
        rows.append([f"`{file}`", result["machine"], tools, data])
    return table(["file", "machine", "with", "ratings at hand"], rows)


def in_a_browser() -> str:
    """What the users' page costs a browser, by the number of items."""
    found = json.loads((RESULTS / BROWSER).read_text())
    sizes = found["sizes"]
    lines = [
        ("read and check the session", "session_ms"),
        ("make an upload", "upload_ms"),
        ("make and send it: the processor, for the page", "upload_page_cpu_ms"),
        ("the same for all of the browser", "upload_browser_cpu_ms"),
        ("search the titles", "search_ms"),
        ("read V", "profiles_ms"),
        ("recommend", "recommend_ms"),
        ("similar items", "similar_ms"),
    ]
    rows = [
        ["bytes of the upload", *(quantity(size["upload_bytes"]) for size in sizes)],
        ["bytes of V", *(quantity(size["profiles_bytes"]) for size in sizes)],
        *([what, *(_milliseconds(size[name]) for size in sizes)] for what, name in lines),
    ]
    headings = ["what", *(f"{count(size['items'])} items" for size in sizes)]
    return table(headings, rows, right=range(1, len(headings)))


def browser_measured_on() -> str:
    """The machine and the browser, and how much was rated."""
    found = json.loads((RESULTS / BROWSER).read_text())
    return (
        f"{found['browser']} on {found['machine']}, {found['day']}: {found['sizes'][0]['rated']} "
        f"ratings, rank {found['sizes'][0]['rank']}, the least of {found['repeats']}"
    )


def _milliseconds(spent: float) -> str:
    return f"{spent:.{0 if spent >= 10 else 1}f}\N{NO-BREAK SPACE}ms"


def trainings() -> str:
    """Every measured training, with a column for each."""
    runs = [run for _, part in parts("training") for run in part]
    runs += [part[name] for _, part in parts("paper") for name in ("defaults", "here")]
    if not runs:
        return _missing("training")
    lines = [
        ("users × items", [f"{count(run['users'])} × {count(run['items'])}" for run in runs]),
        ("ratings", [count(run["ratings"]) for run in runs]),
        ("rank, T", [f"{run['rank']}, {run['iterations']}" for run in runs]),
        ("other parameters", [_others(run) for run in runs]),
        ("seconds", [seconds(run["seconds"]) for run in runs]),
        ("of that an iteration", [seconds(_iterated(run)) for run in runs]),
        ("sent by all", [quantity(run["bytes_sent"]) for run in runs]),
        ("memory of a server", [quantity(run["memory_of_a_server"]) for run in runs]),
        ("F_fix in the clear", [seconds(run["plain_seconds"]) for run in runs]),
        ("equal to F_fix", ["yes, every bit" if run["equal"] else "**NO**" for run in runs]),
    ]
    if any("extrapolated_seconds" in run for run in runs):
        lines.append(("extrapolated, not measured", [_extrapolated(run) for run in runs]))
    headings = ["cipher suite", *(f"`{run['suite']}`" for run in runs)]
    rows = ([what, *values] for what, values in lines)
    return table(headings, rows, right=range(1, len(headings)))


def phases() -> str:
    """Seconds and bytes of the measured trainings by phase."""
    runs = [run for _, part in parts("training") for run in part]
    if not runs:
        return _missing("training")
    names = list(dict.fromkeys(name for run in runs for name in run["seconds_by_phase"]))
    rows = []
    for name in names:
        row = [name]
        for run in runs:
            sent = run["bytes_sent_by_phase"]
            # the servers' phase "keys" is part of "start"
            bytes_of = sent.get(name, 0) + (sent.get("keys", 0) if name == "start" else 0)
            row += [seconds(run["seconds_by_phase"].get(name, 0)), quantity(bytes_of)]
        rows.append(row)
    headings = ["phase", *(text for run in runs for text in (_named(run), "sent"))]
    return table(headings, rows, right=range(1, 1 + 2 * len(runs)))


def served() -> str:
    """A training by two servers over TLS, beside the same one by `ppmf train`."""
    runs = [part["training"] for _, part in parts("service")]
    if not runs:
        return _missing("training by two servers")
    lines = [
        ("users × items", [f"{count(run['users'])} × {count(run['items'])}" for run in runs]),
        ("rank, T", [f"{run['rank']}, {run['iterations']}" for run in runs]),
        ("seconds by two servers", [seconds(run["seconds"]) for run in runs]),
        ("seconds of `ppmf train`", [seconds(run["train_seconds"]) for run in runs]),
        ("ratio", [f"{run['ratio']:.2f}" for run in runs]),
        ("memory of a server", [quantity(run["memory_of_a_server"]) for run in runs]),
        ("memory beside `ppmf train`", [f"{run['memory_ratio']:.2f}" for run in runs]),
        ("sent over the link", [quantity(run["link_bytes"]) for run in runs]),
        ("TLS, of all CPU seconds", [f"{100 * run['tls_share_of_cpu']:.1f} %" for run in runs]),
        ("equal to `ppmf train`", ["yes, every bit" if run["equal"] else "**NO**" for run in runs]),
    ]
    headings = ["cipher suite", *(f"`{run['suite']}`" for run in runs)]
    rows = ([what, *values] for what, values in lines)
    return table(headings, rows, right=range(1, len(headings)))


def uploaded() -> str:
    """Many uploads at the same moment."""
    rows = [
        [
            count(run["users"]),
            count(run["items"]),
            f"{run['cpu_milliseconds_per_upload']:.1f} ms",
            quantity(run["bytes_per_upload"]),
            count(run["lost"]),
            count(run["twice"]),
        ]
        for run in (part["load"] for _, part in parts("service"))
    ]
    if not rows:
        return _missing("uploads")
    headings = ["users", "items", "CPU of RecSys each", "bytes each", "lost", "stored twice"]
    return table(headings, rows, right=range(6))


def compared() -> str:
    """The same work here and on SPU."""
    rows = []
    for _, part in parts("compared"):
        for one in part:
            over = "over " if one["at_least"] else ""
            rows.append(
                [
                    one["work"].replace(" x ", " × "),
                    seconds(one["seconds"]),
                    quantity(one["bytes_sent"]),
                    over + seconds(one["spu_seconds"]),
                    "" if one["at_least"] else quantity(one["spu_bytes_sent"]),
                    over + f"{one['ratio']:.0f}",
                ]
            )
    if not rows:
        return _missing("comparison with SPU")
    headings = ["work", "here", "sent", "SPU CHEETAH", "SPU sent", "ratio of seconds"]
    return table(headings, rows, right=range(1, 6))


def spu_about() -> str:
    """The version of SPU, and the distance of its results from float64."""
    found = parts("spu")
    if not found:
        return _missing("SPU")
    about = found[-1][1]
    worst = max(part["largest_difference"] or 0 for part in about["parts"])
    return (
        f"SPU {about['spu']}, protocol {about['protocol']}, field {about['field']}; its results "
        f"were within {worst:.1e} of float64"
    )


def paper() -> str:
    """The founding paper's size, here and as reported."""
    found = parts("paper")
    if not found:
        return _missing("the founding paper's size")
    part = found[-1][1]
    reported = part["reported"]
    rows = [
        *(
            [
                f"here, {_others(run)}, T = {run['iterations']}",
                seconds(run["seconds"]),
                quantity(run["bytes_sent"]),
                "2 cores, all parties",
            ]
            for run in (part["defaults"], part["here"])
        ),
        *(
            [
                f"SPU CHEETAH, {entry['part']}",
                seconds(entry["seconds"]),
                quantity(entry["bytes_sent"]),
                "the same machine",
            ]
            for entry in part["spu"]
            if entry["seconds"] is not None
        ),
        [
            "the founding paper, as reported by Nudge (USENIX Security 2026)",
            f"{reported['hours']} hours",
            f"{count(reported['gigabytes'])} GB",
            f"{reported['cores']} cores",
        ],
    ]
    return table(["system", "time", "sent", "on"], rows, right=(1, 2))


def slopes() -> str:
    """Cost against size: the slopes on logarithmic axes."""
    found = parts("scaling")
    if not found:
        return _missing("scaling")
    series = found[-1][1]["series"]
    names = list(series[0]["slopes"])
    rows = [[name, *(f"{each['slopes'][name]:.2f}" for each in series)] for name in names]
    headings = ["slope of", *(each["dimension"] for each in series)]
    return table(headings, rows, right=range(1, len(headings)))


def scaling_base() -> str:
    """The training whose slopes are shown."""
    found = parts("scaling")
    if not found:
        return _missing("scaling")
    about = found[-1][1]
    return f"{about['suite']}, {about['base'].replace(' x ', ' × ')}"


def plots() -> str:
    """The plots for which there are files."""
    names = [path.name for path in sorted(RESULTS.glob("*.svg"))]
    return "\n".join(
        f":::{{container}} scrolls\n```{{image}} ../benchmarks/results/{name}\n"
        f":alt: {PLOTS.get(name, 'Plot')}\n:class: plot\n```\n:::\n"
        for name in names
    )


def estimates() -> str:
    """The estimates of `ppmf estimate` for MovieLens' sizes at the default parameters."""
    costs = UnitCosts.read()
    name, params = "rlwe-8192", Parameters()
    rows = []
    for users, items in SIZES:
        tally = count_run(params, PublicSize.numbered(users, items), cipher_suite(name))
        estimate = costs.estimate(tally, name)
        sent = sum(bytes_sent(tally).values())
        rows.append(
            [
                f"{count(users)} × {count(items)}",
                f"{estimate.total / 60:.1f} min",
                quantity(estimate.memory),
                quantity(sent),
            ]
        )
    headings = ["users × items", "estimated time", "estimated memory of a server", "bytes sent"]
    return table(headings, rows, right=range(1, 4))


def checked() -> str:
    """Measured runs beside their estimates, made in one go with the unit costs."""
    runs = [run for _, part in parts("estimates") for run in part]
    if not runs:
        return _missing("estimates")
    rows = [
        [
            f"{count(run['users'])} × {count(run['items'])}, {run['rank']}, {run['iterations']}",
            f"`{run['suite']}`",
            seconds(run["seconds"]),
            *(
                f"{run[f'estimated_{name}'] / run[name] - 1:+.0%}"
                for name in ("seconds", "memory_of_a_server", "bytes_sent")
            ),
        ]
        for run in runs
    ]
    headings = ["users × items, rank, T", "suite", "measured", "estimate", "of memory", "of bytes"]
    return table(headings, rows, right=range(2, 6))


def estimated_on() -> str:
    """The machine whose unit costs the estimates use."""
    return UnitCosts.read().machine


def _others(run: Result) -> str:
    """Whether a run had the default parameters or version 1's, but for rank and T."""
    earlier = run["parameters"]["inner_steps"] == VERSION_1.inner_steps
    return "version 1's" if earlier else "defaults"


def _named(run: Result) -> str:
    return f"`{run['suite']}`, {_others(run)}, rank {run['rank']}, T = {run['iterations']}"


def _iterated(run: Result) -> float:
    spent = run["seconds_by_phase"]
    total = sum(spent.get(name, 0.0) for name in ("products", "steps", "updates"))
    return float(total / run["iterations"])


def _extrapolated(run: Result) -> str:
    if "extrapolated_seconds" not in run:
        return ""
    size = run["extrapolated_to"].replace(" x ", " × ")
    return f"{size}: {run['extrapolated_seconds'] / 3600:.1f} h"


def _missing(what: str) -> str:
    return f"({what}: in none of the results at hand)"
