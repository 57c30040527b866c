# SPDX-License-Identifier: Apache-2.0
"""What the page costs a browser: `make test-browser ARGS=--measure` writes the figures.

Nothing is asserted about time. The figures are read by docs/performance.md.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from ppmf.bench import machine
from ppmf_secure.session.session import Session
from ppmf_spec.parameters import Parameters
from tests.browser.conftest import Devices
from tests.browser.page_servers import PageServers, titles_of
from tests.browser.users_page import UsersPage

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "browser.json"
LATTICE = "rlwe-8192-p54-54-55-55-t39"
SMALL, LARGE = 1_682, 100_000
RATED = 100
REPEATS = 7
""""""
