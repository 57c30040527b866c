# SPDX-License-Identifier: Apache-2.0
"""The command `ppmf`: its sub-commands, and the one place where an error becomes a line.

Exit status: 0 done and all checks held; 1 a check failed; 2 bad input or usage, or an extra that is
not installed, one line saying what and where; 70 a fault of this program; 130 interrupted,
129 and 143 ended by SIGHUP and SIGTERM.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from ppmf import console, ending, run_report
from ppmf.docstring_help import Deferred, group_of
from ppmf_spec.errors import PpmfError
from ppmf_spec.extras import MissingExtraError

_OF_PPMF = ("--quiet", "-q", "--verbose", "-v", "--version")
FAILED, BAD_INPUT, BUG, INTERRUPTED = 1, 2, 70, 130

_ABOUT = """Private proximal matrix factorisation: recommendations from ratings nobody sees.

\b
Start here: the whole story on real ratings, checked
  ppmf demo
Train, three parties on this machine, and look at what they saw
  ppmf train ratings.csv --out run
  ppmf audit run/transcripts
Go on with a training that was interrupted
  ppmf train ratings.csv --out run --keep-checkpoints
  ppmf resume run
Compare with the same training in the clear
  ppmf oracle ratings.csv --mode fixed --out fixed.json
  cmp fixed.json run/item_profiles.json
See how good the recommendations are, and choose the parameters
  ppmf evaluate ratings.csv
  ppmf evaluate ratings.csv --sweep ridge=6,12,24 --sweep rank=5,10
Get parameters that fit a size
  ppmf params suggest --users 943 --items 1682 > params.toml
Use the result, each user at home
  ppmf recommend --profiles run/item_profiles.json --ratings mine.csv
  ppmf similar 1 --profiles run/item_profiles.json
Train with another organisation, each with a server, and users at home
  ppmf session --help
  ppmf enrol --help
  ppmf serve recsys --config recsys.toml
  ppmf submit mine.csv --invitation from-recsys.txt --invitation from-csp.txt
Hold another implementation, in any language, against the specification
  ppmf conformance run -- node adapter.mjs

Options of ppmf itself stand before the command: `ppmf --quiet train ...` says nothing on standard
error but errors, `ppmf -v train ...` says more. Commands that answer a question take --json.
`ppmf --install-completion` makes the Tab key complete commands and options in your shell.

PPMF_DATA names the demo's ratings; PPMF_OFFLINE=1 keeps it off the network; PPMF_DEBUG=1 shows the
trace of an error.
"""

COMMANDS = (
    Deferred(
        "demo",
        "ppmf.demo.command:demo",
        "Train privately on real ratings, then check the result.",
        "secure",
    ),
    Deferred(
        "train",
        "ppmf.commands.train:train",
        "Train securely: users, RecSys and CSP, on this machine.",
        "secure",
    ),
    Deferred(
        "resume", "ppmf.commands.resume:resume", "Go on with an interrupted training.", "secure"
    ),
    Deferred(
        "oracle",
        "ppmf.commands.oracle:oracle",
        "Train in the clear: what the secure training must equal.",
    ),
    Deferred(
        "evaluate", "ppmf.commands.evaluate:evaluate", "Measure how good the recommendations are."
    ),
    Deferred(
        "recommend",
        "ppmf.commands.recommend:recommend",
        "Recommend items to one user, whose ratings stay on this machine.",
    ),
    Deferred("similar", "ppmf.commands.recommend:similar", "List the items nearest to one item."),
    Deferred(
        "audit",
        "ppmf.commands.audit:audit_transcripts",
        "Check that transcripts contain only ciphertexts.",
        "secure",
    ),
    Deferred(
        "estimate",
        "ppmf.commands.estimate:estimate",
        "Estimate the time, the memory and the bytes of a training.",
        "secure",
    ),
    Deferred(
        "bench",
        "ppmf.commands.bench:bench",
        "Measure what a training costs on this machine.",
        "secure",
    ),
    Deferred(
        "up",
        "ppmf.demo.up:up",
        "Start both servers on this machine, with a session and invitations: a trial.",
        "serve",
    ),
    Deferred(
        "status",
        "ppmf.commands.status:status",
        "Show what each session of a server waits for, since when, for whom, and what happens "
        "next.",
        "serve",
    ),
    Deferred(
        "report",
        "ppmf.commands.report:report",
        "Report on a session of a server: time and bytes by phase, memory, who took part, "
        "erasures.",
        "serve",
    ),
    Deferred(
        "backup",
        "ppmf.commands.backup:backup",
        "Write a backup of a server, which may run meanwhile.",
        "serve",
    ),
    Deferred(
        "restore",
        "ppmf.commands.backup:restore",
        "Put a backup back, after a server's disk was lost or its database damaged.",
        "serve",
    ),
    Deferred(
        "serve",
        "ppmf.commands.serve:serve",
        "Run a server of the service: its interface for users, and its link to the other server.",
        "serve",
    ),
    Deferred(
        "submit",
        "ppmf.commands.submit:submit",
        "Send your ratings to a training, hidden from everybody.",
        "serve",
    ),
    Deferred(
        "session",
        "ppmf.commands.session:app",
        "Agree with the other server on sessions, and look after them.",
        "serve",
    ),
    Deferred(
        "enrol",
        "ppmf.commands.enrol:app",
        "Invite users: each gets one half of an invitation from RecSys, one from the enroller.",
        "serve",
    ),
    Deferred("params", "ppmf.commands.params:app", "Look at public parameter sets."),
    Deferred(
        "conformance",
        "ppmf.commands.conformance:app",
        "Hold an implementation, in any language, against the specification.",
    ),
)
"""The commands, in the order of the help. The sentence is the first one of a command's own help."""

app = typer.Typer(
    cls=group_of(COMMANDS),
    rich_markup_mode=None,  # plain help: the same in a pipe, a log and a dumb terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppmf {run_report.versions()['ppmf']}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=_ABOUT)
def ppmf(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Say nothing on standard error but errors."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Say more: versions, and how long each step took."),
    ] = False,
) -> None:
    """Take the options of `ppmf` itself."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other")
    console.set_level(
        console.Level.QUIET if quiet else console.Level.VERBOSE if verbose else console.Level.NORMAL
    )
    if verbose:
        versions = (f"{name} {version}" for name, version in run_report.versions().items())
        console.detail(", ".join(versions))
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a title must not stop a run on an old terminal
    try:
        with ending.raised():
            status = app(arguments, prog_name="ppmf", standalone_mode=False)
            sys.stdout.flush()
    except PpmfError as error:
        return _stop(error.kind, str(error))
    except MissingExtraError as error:
        return _stop("installation", str(error))
    except BrokenPipeError:
        # whoever read the output has seen enough; nothing may be written at shutdown either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        name = "" if error.filename is None else f"{error.filename}: "
        return _stop("file", f"{name}{error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except ending.EndedError as ended:
        with suppress(OSError):  # the terminal may be gone
            print(f"ppmf: ended by {ended}", file=sys.stderr)
        return ended.status
    except MemoryError:
        return _stop("memory", "this machine has not enough for a run of this size")
    except Exception as error:
        # typer's own, whose base is click's or a copy of click's, depending on its version
        usage = getattr(error, "format_message", None)
        if usage is not None:
            return _stop("usage", usage() + _hint(error))
        text = f"{type(error).__name__}: {error}"
        _stop("bug", f"{text} (a fault of ppmf, please report it; PPMF_DEBUG=1 shows the trace)")
        return BUG
    if status == INTERRUPTED:
        print("ppmf: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _hint(error: Exception) -> str:
    """Where an option of `ppmf` itself belongs, or where to read how the command is used."""
    option = getattr(error, "option_name", None)
    if option in _OF_PPMF:
        return f" (it stands before the command: ppmf {option} ...)"
    context = getattr(error, "ctx", None)
    return "" if context is None else f" (see {context.command_path} --help)"


def _stop(kind: str, text: str) -> int:
    """The one line of an error, in place of a trace."""
    if os.environ.get("PPMF_DEBUG"):
        traceback.print_exc()
    print(f"ppmf: error ({kind}): {' '.join(text.split())}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
