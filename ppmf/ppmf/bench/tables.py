# SPDX-License-Identifier: Apache-2.0
"""The tables of `ppmf bench`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ppmf import console
from ppmf.bench.calibration import Checked
from ppmf.bench.comparison import Compared
from ppmf.bench.measured_runs import Measured
from ppmf.bench.scaling import QUANTITIES, Series
from ppmf.bench.spu import Entry


def run(measured: Measured) -> None:
    """Print seconds and bytes of a run by phase."""
    sent: dict[str, int] = {}
    for (_, phase), count in measured.sent.items():
        name = "start" if phase == "keys" else phase
        sent[name] = sent.get(name, 0) + count
    rows = [
        [phase, console.seconds(spent), console.size(sent.get(phase, 0))]
        for phase, spent in measured.seconds.items()
    ]
    iterations = measured.params.iterations
    rows += [
        ["all", console.seconds(measured.wall), console.size(measured.bytes_sent)],
        [
            "an iteration",
            console.seconds(measured.iterated / iterations),
            console.size(round(measured.bytes_iterated / iterations)),
        ],
    ]
    console.table(["phase", "seconds", "sent"], rows, right="seconds,sent")
    console.say(f"memory of a server: {console.size(measured.memory)}")


def facts(found: Mapping[str, object]) -> None:
    """Print what was measured, by name."""
    rows = [(name.replace("_", " "), _shown(name, value)) for name, value in found.items()]
    console.facts(rows)


def _shown(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, int) and ("bytes" in name or "memory" in name):
        return console.size(value)
    return str(value)


def scaling(series: Sequence[Series]) -> None:
    """Print the slopes, with a row for each quantity and a column for each dimension."""
    names = [each.dimension for each in series]
    rows = [
        [quantity, *(f"{each.slope(quantity):.2f}" for each in series)] for quantity in QUANTITIES
    ]
    console.table(["slope of", *names], rows, right=",".join(names))


def spu(entries: Iterable[Entry]) -> None:
    """Print the measurements of SPU."""
    rows = []
    for entry in entries:
        if entry.seconds is None:
            rows.append([entry.part, f"over {console.seconds(entry.limit)}", "", "stopped"])
        else:
            difference = f"{entry.difference:.1e}"
            sent = console.size(entry.bytes_sent or 0)
            rows.append([entry.part, console.seconds(entry.seconds), sent, difference])
    console.table(["on SPU", "seconds", "sent", "off by"], rows, right="seconds,sent,off by")


def compared(rows: Iterable[Compared]) -> None:
    """Print the comparisons with SPU, with the ratio of the seconds."""
    shown = [
        [
            one.work,
            console.seconds(one.seconds),
            console.size(round(one.bytes_sent)),
            (">" if one.at_least else "") + console.seconds(one.spu_seconds),
            "" if one.at_least else console.size(round(one.spu_bytes)),
            (">" if one.at_least else "") + f"{one.ratio:.1f}",
        ]
        for one in rows
    ]
    headings = ["work", "here", "sent", "SPU CHEETAH", "SPU sent", "ratio"]
    console.table(headings, shown, right=",".join(headings[1:]))


def checked(rows: Iterable[Checked]) -> None:
    """Print estimates beside measurements."""
    headings = ["run", "seconds", "estimated", "error", "memory", "memory error", "bytes"]
    shown = [
        [
            f"{one.run.suite}, {one.point}",
            console.seconds(one.run.wall),
            console.seconds(one.estimate.total),
            f"{one.time_error:+.0%}",
            console.size(one.run.memory),
            f"{one.memory_error:+.0%}",
            "exact" if one.bytes_equal else "DIFFER",
        ]
        for one in rows
    ]
    console.table(headings, shown, right="seconds,estimated,error,memory,memory error")
