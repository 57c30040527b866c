# SPDX-License-Identifier: Apache-2.0
"""The example in Rust: that it builds without warnings and is right, and how it ends."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ppmf_conformance.adapters as adapters
from ppmf_conformance import cases, runner

FOLDER = Path(adapters.__path__[0]) / "rust"
SUITE = cases.shipped()
FUNCTION = {
    "params.validate", "params.toml", "params.bound", "params.warn", "ratings.parse", "init",
    "words.round", "words.descend", "prox", "step", "half_step", "train.fixed", "profiles.write",
    "profiles.read", "predict.ridge", "predict.similar",
}  # fmt: skip
"""The operations of the level *function* of chapter 7."""

# The command of the adapter's first lines, with what finds faults at run time besides.
BUILD = ("--edition", "2021", "-D", "warnings")


def declared() -> set[str]:
    """The operations that the adapter's own text lists."""
    table = (FOLDER / "operations.rs").read_text().partition("pub static OPERATIONS")[2]
    return set(re.findall(r'^    \("([a-z_.]+)", ', table.partition("];")[0], re.M))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the program, which is built anew."""
    rustc = shutil.which("rustc")
    if rustc is None:
        pytest.skip("there is no rustc to build the adapter in Rust with")
    program = tmp_path_factory.mktemp("rust") / "ppmf-adapter"
    built = subprocess.run(
        [rustc, *BUILD, "-o", program, FOLDER / "main.rs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return str(program)


def test_the_rust_adapter_declares_operations_that_have_cases() -> None:
    asked = {feature for case in SUITE.cases for feature in case.features}
    assert declared() - asked == set()
    assert declared() >= FUNCTION


def test_the_rust_adapter_uses_nothing_but_the_standard_library() -> None:
    assert "#![forbid(unsafe_code)]" in (FOLDER / "main.rs").read_text()
    for path in FOLDER.glob("*.rs"):
        text = path.read_text()
        assert "extern crate" not in text
        for source in re.findall(r"^\s*(?:pub )?use (\w+)", text, re.M):
            local = {"crate", "Kind"} | {module.stem for module in FOLDER.glob("*.rs")}
            assert source in {"std", *local}, f"{path.name} uses {source}"


def test_the_rust_adapter_passes_all_cases_that_it_declares(adapter: str) -> None:
    summary = runner.run(runner.Plan((adapter,), SUITE.cases))
    assert summary.hello is not None, summary.refusal
    assert summary.hello.features == declared()
    assert [(r.case.id, r.detail) for r in summary.results if r.fails] == []
    assert summary.asked > 800


HELLO = b'{"call":"hello","protocol":1}'


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b'{"call":"hello","call":"hello","protocol":1}', id="a-name-twice"),
        pytest.param(b'{"call":"hello","protocol":01}', id="a-number-that-is-none"),
        pytest.param(b'{"call":"\\ud800","protocol":1}', id="half-of-a-character"),
        pytest.param(b'{"call":"\xff","protocol":1}', id="not-utf-8"),
        pytest.param(b"\xef\xbb\xbf" + HELLO, id="a-mark"),
        pytest.param(b"[" * 1_000_000, id="deep"),
        pytest.param(HELLO[:-1] + b" " * (1 << 24) + b"}", id="long"),
        pytest.param(b'{"call":"run","op":"prox","in":{}}', id="no-seq"),
    ],
)
def test_the_rust_adapter_ends_in_one_line_on_a_line_that_is_none(
    adapter: str, line: bytes
) -> None:
    ended = subprocess.run(
        [adapter], input=HELLO + b"\n" + line + b"\n", capture_output=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout.count(b"\n") == 1  # the answer to the first line
    assert re.fullmatch(rb"ppmf-adapter: [^\n]+\n", ended.stderr)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        pytest.param("words.round", '{"a":"1","b":"0"}', id="a-divisor-of-0"),
        pytest.param("words.round", '{"a":"' + "9" * 100_000 + '","b":"1"}', id="a-long-number"),
        pytest.param("words.round", '{"a":1,"b":"1"}', id="a-json-number"),
        pytest.param(
            "init",
            '{"parameters":{"rank":"1024"},"users":"2147483647","items":"1"}',
            id="a-large-side",
        ),
        pytest.param(
            "hash.pads",
            '{"key":"' + "0" * 32 + '","blocks":[],"length":"-1"}',
            id="a-negative-length",
        ),
        pytest.param(
            "upload.plain",
            '{"parameters":{},"items":"9223372036854775807","ratings":[]}',
            id="a-long-row",
        ),
        pytest.param(
            "upload.plain",
            '{"parameters":{},"items":"2","ratings":[["2","0"]]}',
            id="an-item-outside-the-row",
        ),
        pytest.param(
            "circuit.netlist",
            '{"circuit":"reciprocal","plan":{"width":"9","drop":"9","exponent":"5","minimum":"1",'
            '"weights":{},"shift":"3"}}',
            id="a-divisor-without-bits",
        ),
        pytest.param(
            "circuit.netlist",
            '{"circuit":"reciprocal","plan":{"width":"9","drop":"2","exponent":"100","minimum":"1",'
            '"weights":{"tau":"18446744073709551615"},"shift":"3"}}',
            id="a-wide-threshold",
        ),
        pytest.param("code.decode", '{"parameters":{},"codes":["01"]}', id="a-short-code"),
        pytest.param(
            "train.fixed",
            '{"parameters":{"iterations":"1000000","inner_steps":"1000"},"users":["1"],"items":["1"],"ratings":[]}',
            id="a-long-training",
        ),
    ],
)
def test_the_rust_adapter_answers_what_it_does_not_compute_with_error(
    adapter: str, operation: str, members: str
) -> None:
    line = f'{{"call":"run","seq":7,"id":"x","op":"{operation}","in":{members}}}\n'
    ended = subprocess.run(
        [adapter], input=line, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0
    assert re.fullmatch(r'\{"seq":7,"status":"error","message":"[^"]+"\}\n', ended.stdout)
