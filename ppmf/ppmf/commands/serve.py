# SPDX-License-Identifier: Apache-2.0
"""`ppmf serve`: a server of the service."""

from __future__ import annotations

from typing import Annotated

import typer

from ppmf import serving
from ppmf_service import serve as service
from ppmf_service.config import read_config
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, Role


def serve(
    role: Annotated[
        Role,
        typer.Argument(metavar="recsys|csp", help="Which server it is.", show_default=False),
    ],
    config: serving.ConfigFile,
) -> None:
    """Run a server of the service: its interface for users, and its link to the other server.

    It runs until it is ended (Ctrl-C, SIGTERM), and may be ended at any moment: it goes on where it
    was when it is started again. What it does is logged on standard error, a line of JSON for each
    event, in which nothing is secret.

    The address [api] is for users; [monitoring] is for the operator, with /metrics and /readyz.

    Examples:
      ppmf serve recsys --config recsys/recsys.toml
      ppmf serve csp --config csp/csp.toml
    """
    if role not in (RECSYS, CSP):
        raise typer.BadParameter("recsys or csp", param_hint="ROLE")
    found = read_config(config)
    if found.role is not role:
        raise StateError(f"{config}: the configuration of {found.role}; this is for {role}")
    service.run(found)
