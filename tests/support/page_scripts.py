# SPDX-License-Identifier: Apache-2.0
"""Scripts of tests that import the page's modules, as they are served, and run in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ppmf_service.page import page_files

SCRIPTS = Path(__file__).parents[1] / "service" / "page"


def run_script(name: str, folder: Path, given: Any = None) -> None:
    """Run a script of `node:test` beside the page's files; its failure is the test's.

    given: what the script finds in given.json. The test is skipped where there is no Node.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here")
    for path, file in page_files().items():
        place = folder / (path or "index.html")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
    shutil.copy(SCRIPTS / "support.mjs", folder)
    shutil.copy(SCRIPTS / name, folder)
    (folder / "given.json").write_text(json.dumps(given))
    command = [node, "--test-reporter=spec", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
