# SPDX-License-Identifier: Apache-2.0
"""Where a user reads or compares text, the text itself: messages at their limits, files."""

from __future__ import annotations

import dataclasses
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf_spec import profiles, rating_files, ratings, requirements, wire
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.rating_files import RawRatings, read, write_csv
from ppmf_spec.ratings import Ratings


def refusal(**values: Any) -> str:
    with pytest.raises(ParametersError) as caught:
        Parameters(**values)
    return str(caught.value)


# --- a refused value is shown, but never at length ---


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**128 - 1, str(2**128 - 1)),
        (2**128, "an integer of 129 bits"),
        (-(2**128), "an integer of 129 bits"),
    ],
)
def test_integers_up_to_128_bits_are_shown_in_full(value: int, shown: str) -> None:
    assert refusal(rank=value) == f"rank = {shown}: must be between 1 and 1024"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(2**128 - 1), str(2**128 - 1)),
        (Fraction(2**128), "a fraction of more than 128 bits"),
        (Fraction(-1, 2**128 - 1), f"-1/{2**128 - 1}"),
        (Fraction(-1, 2**128), "a fraction of more than 128 bits"),
    ],
)
def test_fractions_up_to_128_bits_are_shown_in_full(value: Fraction, shown: str) -> None:
    assert refusal(ridge=value) == f"ridge = {shown}: must be between 0 and {2**32}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 58, f"'{'x' * 58}'"), ("x" * 59, f"'{'x' * 56}...")],
)
def test_texts_are_cut_to_60_characters(text: str, shown: str) -> None:
    assert len(shown) == 60
    message = refusal(step_rule=text)
    assert message == f"step_rule = {shown}: must be one of lipschitz, count"


def test_an_error_of_the_toml_parser_is_cut_to_200_characters_of_one_line() -> None:
    name = "a" * 300
    with pytest.raises(ParametersError) as caught:
        Parameters.from_toml(f"[{name}]\n[{name}]")
    start, _, quoted = str(caught.value).partition(": ")
    assert start == "not TOML"
    assert quoted == f"Cannot declare ('{name}"[:200]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"regulariser": "binary-elastic-net", "box_bits": 0},
            "box_bits = 0: must be at least 1 for binary-elastic-net",
        ),
        (
            {"regulariser": "binary-elastic-net", "damping": 2, "ridge": Fraction(9)},
            "ridge = 9: makes the largest theta 9216 (at curvature 0), which must be below "
            "2^(frac_bits - 1) = 2048 for binary-elastic-net; raise damping",
        ),
    ],
)
def test_refusals_of_the_binary_net(values: dict[str, Any], message: str) -> None:
    assert refusal(**values) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ridge": Fraction(1, 2**25)}, "times 2^(2 frac_bits) = 2^24 must be an integer"),
        ({"ridge": 12}, "must be a Fraction"),
        ({"seed": 7}, "must be a string"),
        ({"seed": "\ud800"}, "must be Unicode text without surrogates"),
        ({"seed": "x" * 257}, "must be at most 256 bytes of UTF-8"),
    ],
)
def test_refusals_of_single_values(values: dict[str, Any], message: str) -> None:
    ((name, value),) = values.items()
    shown = ascii(value) if isinstance(value, str) else str(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    assert refusal(**values) == f"{name} = {shown}: {message}"


def test_dyadic_values_may_reach_the_end_of_their_domain() -> None:
    params = Parameters(ridge=Fraction(2**32), l1=Fraction(2**32), rating_max=Fraction(2**16))
    largest = params.as_dict()
    assert [largest[name] for name in ("ridge", "l1", "rating_max")] == [
        "4294967296",
        "4294967296",
        "65536",
    ]


def test_a_text_of_65536_bytes_is_not_too_long() -> None:
    assert Parameters.from_toml("#" * 65_536) == Parameters()


def test_a_file_is_read_no_further_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 <= size <= 2**20
            return b"#" * size

    monkeypatch.setattr(Path, "open", lambda path, mode: Endless())
    with pytest.raises(ParametersError, match="longer than 65536 bytes"):
        Parameters.from_toml(tmp_path / "endless.toml")


def test_an_error_of_the_system_without_a_text_still_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise OSError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ParametersError) as caught:
        Parameters.from_toml(tmp_path / "a.toml")
    assert str(caught.value) == f"{tmp_path / 'a.toml'}: cannot be read"


def test_a_seed_of_printable_text_stands_as_it_is() -> None:
    assert Parameters(seed="aX b~").to_toml().endswith('\nseed = "aX b~"\n')


# --- files of profiles ---

ONE = ItemProfiles(
    items=("é",),
    frac_bits=12,
    factors=np.array([[1]]),
    bias=None,
    rating_offset=Fraction(3),
    rating_min=Fraction(1),
    rating_max=Fraction(5),
    rating_frac_bits=0,
    ridge=Fraction(12),
)


def test_ids_stand_in_the_file_as_they_are() -> None:
    assert ' "items": ["é"],\n' in profiles.dumps(ONE)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "[" * 100_000, "not JSON of this format: too long or too deep"),
        (lambda text: text.replace('["é"]', "[7]"), "items: not a list of strings"),
        (lambda text: text.replace('"rank"', '"box_bits"'), "a field is given twice"),
        (
            lambda text: text.replace("[1]", "[1.0]"),
            "a number with a point or an exponent: only integers and strings belong",
        ),
    ],
)
def test_refusals_of_profiles_are_whole_sentences(edit: Any, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        profiles.loads(edit(profiles.dumps(ONE)))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"items": ()}, "items: no ids"),
        ({"items": ("b", "a")}, "items: not in canonical order"),
        ({"items": ("",)}, "item catalogue: id number 1 is empty, padded"),
        ({"factors": np.zeros((1, 0), np.int64)}, "factors: not a table of at least one column"),
        ({"bias": np.zeros((1, 1), np.int64)}, "bias: not a list"),
        ({"rating_min": Fraction(6)}, "rating_min = 6: must be below rating_max = 5"),
        ({"ridge": Fraction(-1)}, "ridge = -1: must be between 0 and 4294967296"),
    ],
)
def test_refusals_of_arrays_begin_with_the_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((RangeError, EncodingError)) as caught:
        dataclasses.replace(ONE, **fields)
    assert str(caught.value).startswith(message)


def test_the_box_of_a_run_is_that_of_its_parameters() -> None:
    params = Parameters(rank=1, bias=False, box_bits=3)
    some = ItemProfiles.of(("1",), np.array([[2**15 - 1]]), None, params)
    assert some.box_bits == 3


def test_arrays_of_profiles_cannot_be_written_to() -> None:
    some = dataclasses.replace(ONE, bias=np.array([1]))
    for table in (some.factors, some.bias):
        assert table is not None
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (-(2**63), f"factors[0][0]: {-(2**63)} is outside -8192 to 8191"),
        (-(2**63) - 1, "factors[0][0]: outside the box"),
        (-(2**64), "factors[0][0]: outside the box"),
        (2**63, "factors[0][0]: outside the box"),
    ],
)
def test_an_entry_beyond_64_bits_is_refused_like_any_other(entry: int, message: str) -> None:
    fields = json.loads(profiles.dumps(ONE)) | {"factors": [[entry]]}
    with pytest.raises(RangeError) as caught:
        profiles.loads(json.dumps(fields))
    assert str(caught.value) == message


# --- files of ratings ---


def test_a_file_of_ratings_byte_for_byte(tmp_path: Path) -> None:
    raw = RawRatings(("é", "b,c"), ("1", "2"), (Fraction(7, 2), Fraction(4)))
    write_csv(tmp_path / "r.csv", raw)
    content = (tmp_path / "r.csv").read_bytes()
    assert content == 'userId,movieId,rating\né,1,3.5\n"b,c",2,4\n'.encode()


def test_a_value_that_no_file_can_say_is_refused_by_its_source(tmp_path: Path) -> None:
    raw = RawRatings(("a",), ("b",), (Fraction(1, 3),), source="mine")
    with pytest.raises(RangeError) as caught:
        write_csv(tmp_path / "r.csv", raw)
    assert str(caught.value) == "mine: 1/3 has no finite decimal form"
    assert list(tmp_path.iterdir()) == []


def test_ratings_taken_from_a_file_stay_where_they_stood(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_text("1\t2\t3\n4\t5\t3\n")
    assert read(path).take([1]).where(0) == f"{path}:2"


def read_text(folder: Path, text: str) -> RawRatings:
    path = folder / "ratings"
    path.write_bytes(text.encode())
    return read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The first line says the layout; what later lines hold does not matter.
        ("1::2::3\n1\t1::2::3\n4::5::3\n", ":2: the user id is empty, padded"),
        ("1::2::3,5\n", ":1: the rating is not a plain decimal number"),
        ("1\t2\t3X", ":1: the rating is not a plain decimal number"),
        ("\n\n1\t2\t3\n", ":1: not a ratings file"),
        ("user_id:a:b\titem_id\trating\n1\t2\n", ":2: 2 columns, expected 3"),
        (
            "hello",
            ":1: not a ratings file: expected the header userId,movieId,rating (ratings.csv) or "
            "user_id:token (.inter), or a rating split by tabs (u.data) or by :: (ratings.dat)",
        ),
    ],
)
def test_the_first_line_says_the_layout(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        read_text(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'ratings'}{message}")


def test_a_message_about_the_layout_ends_where_it_ends(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match=r"\(ratings\.dat\)$"):
        read_text(tmp_path, "hello")


def test_ids_may_hold_blanks(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token\trating:float\n"
    raw = read_text(tmp_path, f"{header}a b\tc d\t3\n")
    assert (raw.users, raw.items) == (("a b",), ("c d",))


def test_a_line_end_before_the_first_byte_that_is_no_text_counts(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_bytes(b"\n\xff")
    with pytest.raises(EncodingError, match="u.data:2: not UTF-8 text"):
        read(path)


def test_each_distinct_id_and_number_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a file of millions of ratings quick to read."""
    seen: list[str] = []
    monkeypatch.setattr(rating_files, "check_id", lambda text, where: seen.append(text))
    raw = read_text(tmp_path, "u\ti\t3.5\nu\tj\t3.5\nv\ti\t4\n")
    assert seen == ["u", "i", "j", "v"]
    assert raw.values[0] is raw.values[1]


# --- matrices of ratings ---

ROWS = np.array([0, 0, 1, 1])


def test_a_pair_rated_twice_is_refused_whoever_the_user_is() -> None:
    with pytest.raises(RangeError) as caught:
        Ratings(("1", "2"), ("a", "b"), ROWS, np.array([0, 1, 1, 1]), np.zeros(4, np.int64))
    assert str(caught.value) == "ratings: a user rates an item twice"


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (("1", ""), ("a",), "user catalogue: id number 2 is empty"),
        (("1",), ("",), "item catalogue: id number 1 is empty"),
        (("1",), (), "ratings: the item list is empty"),
    ],
)
def test_lists_of_ids_are_named(
    users: tuple[str, ...], items: tuple[str, ...], message: str
) -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises((EncodingError, RangeError)) as caught:
        Ratings(users, items, none, none, none)
    assert str(caught.value).startswith(message)


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(RangeError) as caught:
        Ratings(("1", "2"), ("a", "b"), ROWS, ROWS, np.zeros(3, np.int64))
    expected = "ratings: user, item and value must be three arrays of one length"
    assert str(caught.value) == expected


def test_each_distinct_number_of_stars_is_quantised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same objects: `read` makes one of each."""
    seen: list[Fraction] = []

    def quantised(value: Fraction, params: Parameters, where: str) -> int:
        seen.append(value)
        return 1

    monkeypatch.setattr(ratings, "_quantised", quantised)
    three, four = Fraction(3), Fraction(4)
    raw = RawRatings(("1", "1", "2", "2"), ("a", "b", "a", "b"), (three, four, four, three))
    ratings.quantise(raw, Parameters())
    assert seen == [three, four]


@pytest.mark.parametrize(("part", "kept", "held"), [(0, 4, 0), (1, 0, 4)])
def test_all_or_nothing_may_be_held_out(part: int, kept: int, held: int) -> None:
    some = Ratings(("1", "2"), ("a", "b"), ROWS, np.array([0, 1, 0, 1]), np.zeros(4, np.int64))
    parts = ratings.split_holdout(some, "x", part=part, of=1)
    assert tuple(map(len, parts)) == (kept, held)


# --- messages ---


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "a message of 1 bytes is not CBOR"),
        (b"\x80", "a message is not an array with a name and a header"),
    ],
)
def test_refusals_of_messages_are_whole_sentences(data: bytes, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        wire.decode(data)
    assert str(caught.value) == message


# --- chapters ---

BLOCK = ":::{req} Title\n:id: PPMF-FIX-001\n:level: MUST\nIt MUST.\n:::\n"


def test_blanks_at_the_end_of_a_line_of_a_chapter_say_nothing() -> None:
    padded = "".join(f"{line}  \n" for line in BLOCK.splitlines())
    (found,) = requirements.parse(padded, "x")
    assert (found.id, found.level, found.title) == ("PPMF-FIX-001", "MUST", "Title")


def test_an_indented_directive_is_none() -> None:
    assert list(requirements.parse(f"  {BLOCK}", "x")) == []


def test_an_empty_code_block_hides_nothing() -> None:
    assert len(list(requirements.parse(f"```\n```\n{BLOCK}", "x"))) == 1


def test_a_directive_that_closes_at_once_lacks_its_id() -> None:
    with pytest.raises(EncodingError, match="x:1: id '' is not of the form PPMF-XXX-nnn"):
        list(requirements.parse(":::{req} Title\n:::\n", "x"))
