# SPDX-License-Identifier: Apache-2.0
"""The command `ppmf`: its sub-commands, and the one place where an error becomes a line.

Exit status: 0 done and all checks held; 1 a check failed; 2 bad input or usage, one line saying
what and where; 70 a fault of this program; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from ppmf_conformance import (
    audit_command,
    demo,
    oracle_command,
    params_command,
    recommend,
    train,
)
from ppmf_spec.errors import PpmfError

FAILED, BAD_INPUT, BUG, INTERRUPTED = 1, 2, 70, 130

# typer carries its own copy of click's exceptions in newer versions: this is their base in either.
_UsageProblem = typer.BadParameter.__mro__[2]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,  # plain help: the same in a pipe, a log and a dumb terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(demo.demo)
app.command()(train.train)
app.command()(oracle_command.oracle)
app.command()(recommend.recommend)
app.command()(recommend.similar)
app.command("audit")(audit_command.audit_transcripts)

params_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
params_app.command("check")(params_command.check)


@params_app.callback()
def params() -> None:
    """Public parameter sets."""


app.add_typer(params_app, name="params")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppmf {metadata.version('ppmf')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def ppmf(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Private proximal matrix factorisation: recommendations from ratings that nobody sees.

    \b
    Start here:
      ppmf demo                                       the whole story on real ratings, checked
    Train, three parties on this machine, and look at what they saw:
      ppmf train ratings.csv --out run
      ppmf audit run/transcripts
    Compare with the same training in the clear:
      ppmf oracle ratings.csv --mode fixed --out fixed.json
      cmp fixed.json run/item_profiles.json
    Use the result, each user at home:
      ppmf recommend --profiles run/item_profiles.json --ratings mine.csv
      ppmf similar 1 --profiles run/item_profiles.json

    PPMF_DATA names a folder of ratings for the demo; PPMF_DEBUG=1 shows the trace of any error.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a title must not stop a run on an old terminal
    try:
        status = app(list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
    except PpmfError as error:
        return _stop(error.kind, str(error))
    except BrokenPipeError:
        # whoever read the output has seen enough; nothing may be written at shutdown either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        name = "" if error.filename is None else f"{error.filename}: "
        return _stop("file", f"{name}{error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except MemoryError:
        return _stop("memory", "this machine has not enough for a run of this size")
    except _UsageProblem as error:
        return _stop("usage", error.format_message())
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        _stop("bug", f"{text} (a fault of ppmf, please report it; PPMF_DEBUG=1 shows the trace)")
        return BUG
    if status == INTERRUPTED:
        print("ppmf: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _stop(kind: str, text: str) -> int:
    """The one line of an error, in place of a trace."""
    if os.environ.get("PPMF_DEBUG"):
        traceback.print_exc()
    print(f"ppmf: error ({kind}): {' '.join(text.split())}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
