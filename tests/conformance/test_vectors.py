# SPDX-License-Identifier: Apache-2.0
"""The vectors: made again byte for byte, of their schema, and enough of them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ppmf_conformance import cases, requirement_titles
from ppmf_conformance.servers import CHECKS
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.requirements import collect
from tools.vectors import chunked_runs, interrupted_runs, ranked_runs, vector_files
from tools.vectors.labelled_stream import LabelledStream

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "conformance" / "ppmf_conformance" / "vectors"
SUITE = cases.shipped()

# MUSTs of chapters 2, 3 and 5 that no case shows, each with its reason; none so far.
NOT_SHOWN: dict[str, str] = {}


@pytest.mark.no_cover  # the lines that this reaches, the suite's own tests do too
@pytest.mark.req("PPMF-CON-022")
def test_all_but_the_slowest_vectors_are_regenerated_byte_for_byte() -> None:
    slow = (interrupted_runs, ranked_runs, chunked_runs)  # other whole runs stay: party_runs
    quick = [maker for maker in vector_files.MAKERS if maker not in slow]
    for family in (family for maker in quick for family in maker.families()):
        name = f"{family.name}.json"
        assert (FOLDER / name).read_text(encoding="utf-8") == family.text(), f"{name}: make vectors"


@pytest.mark.slow
@pytest.mark.req("PPMF-CON-022", "PPMF-CON-021")
def test_the_vectors_are_regenerated_byte_for_byte() -> None:
    made = vector_files.files()
    assert sorted(made) == sorted(path.name for path in FOLDER.iterdir()), "make vectors"
    for name, content in made.items():
        assert (FOLDER / name).read_bytes() == content, f"{name} differs: make vectors"
    again = requirement_titles.render(ROOT / "spec", vector_files.named(made))
    assert (FOLDER.parent / requirement_titles.FILE).read_bytes() == again, "make vectors"


@pytest.mark.req("PPMF-CON-022")
def test_the_random_numbers_of_vectors_follow_from_their_label() -> None:
    stream = hashlib.shake_256(b"ppmf/v1/vectors/label").digest(20)
    draw = LabelledStream("label")
    assert draw.bytes(12) + draw.bytes(8) == stream
    assert LabelledStream("label").word() == int.from_bytes(stream[:8], "little")
    assert LabelledStream("other").bytes(20) != stream


@pytest.mark.req("PPMF-CON-023")
def test_there_are_enough_vectors_of_every_kind() -> None:
    flags = Counter(flag for case in SUITE.cases for flag in case.flags)
    assert len(SUITE.cases) >= 600
    assert len({case.family for case in SUITE.cases}) >= 20
    assert min(flags[flag] for flag in ("positive", "negative", "unlucky", "tampered")) >= 50


@pytest.mark.req("PPMF-CON-023")
@pytest.mark.parametrize("chapter", ["02-functionality", "03-parameters", "05-wire"])
def test_every_must_is_shown_by_a_case(chapter: str) -> None:
    found = collect([ROOT / "spec" / f"{chapter}.md"])
    must = {name for name, requirement in found.items() if requirement.level == "MUST"}
    shown = {name for case in SUITE.cases for name in case.requirements}
    assert sorted(must - shown - set(NOT_SHOWN)) == []
    assert sorted(set(NOT_SHOWN) & shown) == []


@pytest.mark.req("PPMF-CON-052")
def test_every_must_of_the_service_is_shown_looked_at_or_excused() -> None:
    found = collect([ROOT / "spec" / "08-service.md"])
    must = {name for name, requirement in found.items() if requirement.level == "MUST"}
    shown = {name for case in SUITE.cases for name in case.requirements}
    shown |= {name for check in CHECKS for name in check.requirements}
    excuses = tomllib.loads(Path(__file__).with_name("not_shown.toml").read_text())
    assert sorted(must - shown - set(excuses)) == []
    assert sorted(set(excuses) & shown) == [], "shown after all"
    assert sorted(set(excuses) - must) == [], "no such MUST"
    assert [name for name, reason in excuses.items() if len(reason.split()) < 4] == []


def test_files_of_vectors_are_small_and_hold_no_float() -> None:
    for path in FOLDER.glob("*.json"):
        assert path.stat().st_size < 1 << 20

        def refuse(text: str, path: Path = path) -> None:
            raise AssertionError(f"{path.name}: {text}")

        json.loads(path.read_bytes(), parse_float=refuse, parse_int=refuse)


def a_file(folder: Path, change: Any) -> Path:
    """A folder with one small file of vectors, changed, and its list."""
    table = json.loads((FOLDER / "init.json").read_text())
    change(table)
    content = json.dumps(table).encode()
    (folder / "init.json").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / cases.DIGESTS).write_text(f"{digest}  init.json\n")
    return folder


@pytest.mark.req("PPMF-CON-020", "PPMF-CON-021")
def test_malformed_files_of_vectors_are_refused(tmp_path: Path) -> None:
    def twice(table: Any) -> None:
        table["cases"].append(table["cases"][0])

    def of_another_family(table: Any) -> None:
        table["cases"][0]["id"] = "step/defaults"

    def number(table: Any) -> None:
        table["cases"][0]["in"]["users"] = 2

    assert cases.load(a_file(tmp_path, lambda table: None)).cases[0].id == "init/defaults"
    with pytest.raises(RangeError, match="init/defaults: two cases"):
        cases.load(a_file(tmp_path, twice))
    with pytest.raises(RangeError, match="in the family init"):
        cases.load(a_file(tmp_path, of_another_family))
    with pytest.raises(EncodingError, match=r"init.json: \$.cases\[0\].in.users"):
        cases.load(a_file(tmp_path, number))
    (tmp_path / "init.json").write_bytes(b"{}")
    with pytest.raises(EncodingError, match="not the vectors"):
        cases.load(tmp_path)
    (tmp_path / cases.DIGESTS).unlink()
    with pytest.raises(EncodingError, match="no vectors here"):
        cases.load(tmp_path)


@pytest.mark.req("PPMF-CON-021", "PPMF-CON-047")
def test_the_shipped_vectors_are_of_their_form() -> None:
    assert cases.load(FOLDER) == SUITE


@pytest.mark.req("PPMF-CON-021")
def test_the_digest_is_that_of_the_list() -> None:
    assert SUITE.digest == hashlib.sha256((FOLDER / cases.DIGESTS).read_bytes()).hexdigest()


@pytest.mark.req("PPMF-CON-021")
def test_a_case_names_its_generator_as_it_always_did() -> None:
    """The generator's module has moved since; a vector does not change for that."""
    families = (json.loads(path.read_text()) for path in FOLDER.glob("*.json"))
    named = {case["source"]["generator"] for family in families for case in family["cases"]}
    assert named == {"ppmf_conformance.suite.generate"}
