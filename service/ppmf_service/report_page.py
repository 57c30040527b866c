# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report: one file that needs no network, no script and no other file.

The pictures are drawn here, as SVG whose colours follow the page's, light or dark; every number of
a picture stands in a table as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

Facts = Mapping[str, Any]
"""A report, as JSON has it (`report.Reports.facts`)."""

_CSS = """
:root{color-scheme:light dark;--ink:#1b1b1f;--soft:#5c5f6a;--line:#d9dbe1;--paper:#fff;
--card:#f6f7f9;--a:#1f62c0;--b:#b4540a;--good:#1c7a3f;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e7e8ec;--soft:#a2a6b3;--line:#3a3d47;
--paper:#16171b;--card:#1f2127;--a:#7db0ff;--b:#f0a35e;--good:#6fcf97;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.25rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}
h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}
p{margin:.4rem 0}
code{font:.88em ui-monospace,monospace;overflow-wrap:anywhere}
.soft{color:var(--soft)}
.trial{border:2px solid var(--bad);padding:.5rem .8rem;border-radius:6px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;
margin:1rem 0}
.tile{background:var(--card);border-radius:8px;padding:.7rem .8rem}
.tile b{display:block;font-size:1.3rem;line-height:1.3}
.tile span{color:var(--soft);font-size:.9rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.94rem}
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:600}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.when{white-space:nowrap}
tfoot td{font-weight:600}
svg{display:block;width:100%;height:auto;margin:.4rem 0 .2rem}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .soft{fill:var(--soft)}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .35em 0 .9em}
@media(max-width:36rem){th,td{padding-right:.5rem}.when{white-space:normal}}
"""

_SENT, _RECEIVED = "var(--a)", "var(--b)"
_STATES = {
    "finished": "The item profiles are published.",
    "failed": "It ended with an error.",
    "abandoned": "It was given up.",
}


def page(facts: Facts) -> str:
    """The page of a report."""
    title = f"Session {facts['session'][:12]} at {_server(facts)}"
    parts = [
        f"<p class=soft>ppmf, report of {_server(facts)}</p>",
        f"<h1>Session <code>{escape(facts['session'][:12])}</code></h1>",
        f"<p>{_summary(facts)}</p>",
    ]
    if facts["trial"]:
        parts.append("<p class=trial>This session is a trial: it protects nobody.</p>")
    parts += [_tiles(facts), _training(facts), _course(facts), _erasures(facts), _agreement(facts)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _server(facts: Facts) -> str:
    return {"recsys": "RecSys", "csp": "CSP"}.get(facts["server"], escape(facts["server"]))


def _summary(facts: Facts) -> str:
    state = facts["state"]
    said = _STATES.get(state, f"It is {escape(state)} and goes on.")
    if facts["error"]:
        said += f" The last error: {escape(facts['error'])}."
    return f"{said} <span class=soft>Report made {moment(facts['made'])}.</span>"


def _last_epoch(facts: Facts) -> Facts | None:
    """The epoch that is drawn: the one that finished, or the last one."""
    found: Sequence[Facts] = facts["epochs"]
    finished = [one for one in found if one["outcome"] == "finished"]
    candidates = finished or found
    return candidates[-1] if candidates else None


def _tiles(facts: Facts) -> str:
    epoch = _last_epoch(facts)
    admitted = facts["admitted"]
    tiles = [
        (escape(facts["state"]), f"since {moment(facts['since'])}"),
        (
            f"{admitted:,} of {facts['users']:,}"
            if admitted is not None
            else f"{facts['users']:,}",
            "users took part" if admitted is not None else "users were invited",
        ),
        (f"{facts['items']:,}", "items"),
    ]
    if epoch is not None:
        phases = epoch["phases"]
        tiles += [
            (lasting(_sum(phases, "seconds")), f"training, epoch {epoch['epoch']}"),
            (size(_sum(phases, "bytes_sent")), "sent to the other server"),
            (size(_sum(phases, "bytes_received")), "received from it"),
            (size(epoch["memory_bytes"]), "most memory of the process"),
            (f"{epoch['peer_lost']:,}", "times the connection was lost"),
        ]
        if epoch.get("workers"):
            found = epoch["workers"]
            tiles.append((f"{found['there']:,} of {found['count']:,}", "workers were there last"))
    shown = "".join(f"<div class=tile><b>{value}</b><span>{of}</span></div>" for value, of in tiles)
    return f"<div class=tiles>{shown}</div>"


def _training(facts: Facts) -> str:
    epoch = _last_epoch(facts)
    if epoch is None:
        return "<h2>Training</h2>\n<p>There was none.</p>"
    parts = ["<h2>Training</h2>"]
    if len(facts["epochs"]) > 1 or epoch["outcome"] != "finished":
        rows = [
            [
                _number(f"{one['epoch']}"),
                _when(one["began"]),
                _when(one["ended"]),
                escape(one["outcome"]),
                _number(lasting(_sum(one["phases"], "seconds"))),
                _number(f"{one['peer_lost']}"),
            ]
            for one in facts["epochs"]
        ]
        headings = ["n:epoch", "began", "ended", "outcome", "n:time", "n:connection lost"]
        parts.append(_table(headings, rows))
        parts.append(f"<p class=soft>The pictures are of epoch {epoch['epoch']}.</p>")
    phases = epoch["phases"]
    parts += ["<h3>Time by phase</h3>", _bars(phases, [("seconds", _SENT)], lasting)]
    parts += [
        "<h3>Bytes by phase</h3>",
        _key(),
        _bars(phases, [("bytes_sent", _SENT), ("bytes_received", _RECEIVED)], size),
    ]
    if len(epoch["over_time"]) > 1:
        parts += ["<h3>Bytes over time</h3>", _key(), _lines(epoch["over_time"])]
    rows = [
        [
            escape(one["phase"]),
            _number(lasting(one["seconds"])),
            _number(size(one["bytes_sent"])),
            _number(size(one["bytes_received"])),
        ]
        for one in phases
    ]
    total = [
        "all",
        _number(lasting(_sum(phases, "seconds"))),
        _number(size(_sum(phases, "bytes_sent"))),
        _number(size(_sum(phases, "bytes_received"))),
    ]
    parts.append(_table(["phase", "n:time", "n:sent", "n:received"], rows, total))
    return "\n".join(parts)


def _course(facts: Facts) -> str:
    headings = ["when", "state"]
    rows = [[_when(one["at"]), escape(one["state"])] for one in facts["events"]]
    if any(one["because"] for one in facts["events"]):
        headings.append("why")
        for row, one in zip(rows, facts["events"], strict=True):
            row.append(escape(one["because"] or ""))
    return "<h2>Course</h2>\n" + _table(headings, rows)


def _erasures(facts: Facts) -> str:
    rows = [
        [
            _when(one["at"]),
            escape(one["what"]),
            _number(f"{one['count']:,}"),
            _number(size(one["bytes"]) if one["bytes"] else ""),
        ]
        for one in facts["erased"]
    ]
    lines = ["<h2>Erased</h2>"]
    if rows:
        lines.append(_table(["when", "what", "n:count", "n:bytes"], rows))
    if facts["secrets_erased"] is None:
        lines.append("<p>The secrets of this session are still kept.</p>")
    else:
        lines.append(f"<p>All secrets were erased by {moment(facts['secrets_erased'])}.</p>")
    if facts["all_but_tombstone_erased"] is not None:
        when = moment(facts["all_but_tombstone_erased"])
        lines.append(f"<p>All else but the tombstone was erased by {when}.</p>")
    elif facts["expires"]:
        lines.append(f"<p>All else but a tombstone is erased at {moment(facts['expires'])}.</p>")
    lines.append(
        "<p class=soft>A backup, or a disk that writes a block to another place, may still hold "
        "what was erased here.</p>"
    )
    return "\n".join(lines)


def _agreement(facts: Facts) -> str:
    agreed = facts["agreed"] or {}
    rows = [
        ["session", f"<code>{escape(facts['session'])}</code>"],
        ["proposal", f"<code>{escape(facts['proposal'])}</code>"],
        ["intake closes", moment(facts["closes"])],
        ["expires", moment(facts["expires"])],
        ["item profiles, SHA-256", f"<code>{escape(facts['profiles_sha256'] or 'none')}</code>"],
        *(
            [name.replace("_sha256", ", SHA-256"), f"<code>{escape(str(value))}</code>"]
            for name, value in agreed.items()
        ),
    ]
    return "<h2>What was agreed on</h2>\n" + _table([], rows)


# -- pieces ------------------------------------------------------------------------------------


def _table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], total: Sequence[str] | None = None
) -> str:
    """A table. headings: a name that begins with "n:" is of a column of numbers."""
    head = "".join(
        f"<th scope=col class=n>{one[2:]}</th>"
        if one.startswith("n:")
        else f"<th scope=col>{one}</th>"
        for one in headings
    )
    head = f"<thead><tr>{head}</tr></thead>" if headings else ""
    body = "\n".join(f"<tr>{_cells(row, header=not headings)}</tr>" for row in rows)
    foot = "" if total is None else f"<tfoot><tr>{_cells(total)}</tr></tfoot>"
    return f"<div class=scroll><table>{head}<tbody>{body}</tbody>{foot}</table></div>"


def _cells(row: Sequence[str], *, header: bool = False) -> str:
    cells = [cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in row]
    if header:
        cells[0] = cells[0].replace("<td>", "<th scope=row>").replace("</td>", "</th>")
    return "".join(cells)


def _number(text: str) -> str:
    return f"<td class=n>{text}</td>"


def _when(seconds: int | None) -> str:
    return f"<td class=when>{moment(seconds)}</td>"


def _key() -> str:
    return (
        f'<p class="key soft"><i style="background:{_SENT};margin-left:0"></i>sent'
        f'<i style="background:{_RECEIVED}"></i>received</p>'
    )


def _bars(
    phases: Sequence[Facts], series: Sequence[tuple[str, str]], shown: Callable[[float], str]
) -> str:
    """Bars, a group of them for each phase. series: members of a phase, and their colours."""
    most = max((one[name] for one in phases for name, _ in series), default=0) or 1
    thick = 16 if len(series) == 1 else 14
    group = thick * len(series) + 10
    left, width = 66, 220
    parts = []
    for at, one in enumerate(phases):
        top = at * group + 4
        middle = top + thick * len(series) / 2 + 4
        name = escape(one["phase"])
        parts.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{name}</text>')
        for place, (member, colour) in enumerate(series):
            long = max(1.0, width * one[member] / most) if one[member] else 0
            y = top + place * thick
            parts.append(
                f'<rect x="{left}" y="{y}" width="{long:.1f}" height="{thick - 1}" rx="2" '
                f'style="fill:{colour}"/><text class="soft" x="{left + long + 6:.0f}" '
                f'y="{y + thick - 3}">{shown(one[member])}</text>'
            )
    label = "Bars: " + ", ".join(f"{one['phase']} {shown(one[series[0][0]])}" for one in phases)
    return _svg(left + width + 64, len(phases) * group + 6, parts, label)


def _lines(samples: Sequence[Facts]) -> str:
    """The bytes sent and received until each moment."""
    left, top, width, height = 56, 8, 284, 140
    longest = max(one["seconds"] for one in samples) or 1
    most = max(max(one["bytes_sent"], one["bytes_received"]) for one in samples) or 1
    parts = []
    for part in (0, 0.5, 1):
        y = top + height * (1 - part)
        parts.append(
            f'<line x1="{left}" x2="{left + width}" y1="{y}" y2="{y}" style="stroke:var(--line)"/>'
            f'<text class="soft" x="{left - 6}" y="{y + 4}" text-anchor="end">'
            f"{size(most * part) if part else '0'}</text>"
        )
        x, anchor = left + width * part, ("start", "middle", "end")[int(part * 2)]
        parts.append(
            f'<text class="soft" x="{x}" y="{top + height + 16}" text-anchor="{anchor}">'
            f"{lasting(longest * part) if part else '0'}</text>"
        )
    for member, colour, dash in (
        ("bytes_sent", _SENT, ""),
        ("bytes_received", _RECEIVED, ";stroke-dasharray:5 3"),
    ):
        points = " ".join(
            f"{left + width * one['seconds'] / longest:.1f},"
            f"{top + height * (1 - one[member] / most):.1f}"
            for one in samples
        )
        parts.append(
            f'<polyline points="{points}" style="fill:none;stroke:{colour};stroke-width:2{dash}"/>'
        )
    return _svg(left + width + 10, top + height + 24, parts, "Lines: bytes over time")


def _svg(width: float, height: float, parts: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{width * 1.6:.0f}px">{"".join(parts)}</svg>'
    )


def _sum(phases: Iterable[Facts], member: str) -> float:
    return float(sum(one[member] for one in phases))


def moment(seconds: int | None) -> str:
    """A time for a person, in UTC, to the second."""
    if not seconds:
        return "never"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def lasting(seconds: float) -> str:
    """A span of time for a person."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds // 60 % 60)} min"


def size(count: float) -> str:
    """Bytes for a person, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
