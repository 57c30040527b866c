# SPDX-License-Identifier: Apache-2.0
"""`PrivateMF`: every kind of X gives the oracle's profiles; recommendations are the user's side's.

What scikit-learn's own checks say stands in tests/ppmf/test_estimator_by_scikit_learn.py.
"""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse

import ppmf
from ppmf.data import synthetic_ratings
from ppmf.estimator import Neighbour, NotFittedError, PrivateMF, Recommendation
from ppmf_reference import fixed, ridge
from ppmf_spec import ratings as rating_lists
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, RangeError, StateError
from ppmf_spec.extras import MissingExtraError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import RawRatings

RAW = synthetic_ratings.ratings(12, 10)
SMALL: dict[str, Any] = {"rank": 2, "iterations": 2, "ridge": 1}
PARAMS = Parameters(rank=2, iterations=2, ridge=Fraction(1))
RATINGS = rating_lists.quantise(RAW, PARAMS)
EXPECTED = fixed.train(RATINGS, PARAMS)
TRIPLES = [
    (int(user), int(item), float(stars))
    for user, item, stars in zip(RAW.users, RAW.items, RAW.values, strict=True)
]
FRAME = pandas.DataFrame(TRIPLES, columns=["userId", "movieId", "rating"])
NAN = float("nan")


def matrix() -> scipy.sparse.coo_array:
    rows, columns, stars = zip(*TRIPLES, strict=True)
    return scipy.sparse.coo_array((stars, (np.array(rows) - 1, np.array(columns) - 1)))


@pytest.fixture(scope="module")
def model() -> PrivateMF:
    return PrivateMF(**SMALL).fit(FRAME)


# --- X ---

KINDS: dict[str, Callable[[], Any]] = {
    "pandas": lambda: FRAME,
    "pandas, categories": lambda: FRAME.astype({"userId": "category", "movieId": "category"}),
    "pandas, float32": lambda: FRAME.astype({"rating": "float32"}),
    "pandas, other columns": lambda: FRAME.assign(timestamp=0)[
        ["rating", "timestamp", "movieId", "userId"]
    ],
    "polars": lambda: polars.DataFrame(
        TRIPLES, schema=["user_id", "item_id", "rating"], orient="row"
    ),
    "polars, lazy": lambda: polars.LazyFrame(
        TRIPLES, schema=["user", "item", "score"], orient="row"
    ),
    "pyarrow": lambda: pyarrow.Table.from_pandas(FRAME, preserve_index=False),
    "triples": lambda: TRIPLES,
    "a generator": lambda: iter(TRIPLES),
    "an array of triples": lambda: np.array(TRIPLES, dtype=object).tolist(),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_table_gives_the_oracles_profiles(kind: Callable[[], Any]) -> None:
    found = PrivateMF(**SMALL).fit(kind())
    assert found.profiles_ == EXPECTED
    assert found.ratings_ == RATINGS
    assert found.parameters_ == PARAMS
    assert found.item_ids_.tolist() == [int(item) for item in EXPECTED.items]
    assert not hasattr(found, "n_features_in_")


@pytest.mark.parametrize("name", ["ratings.csv", "a folder"])
def test_a_file_gives_the_oracles_profiles(name: str, tmp_path: Path) -> None:
    rating_lists.write_csv(tmp_path / "ratings.csv", RAW)
    path = tmp_path if name == "a folder" else tmp_path / name
    for given in (path, str(path)):
        found = PrivateMF(**SMALL).fit(given)
        assert found.profiles_ == EXPECTED
        assert found.item_ids_.tolist() == list(EXPECTED.items)  # text, as in the file


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "dense"])
def test_a_matrix_has_its_row_and_column_numbers_as_ids(form: str) -> None:
    X = matrix()
    given: Any = X.asformat(form) if form != "dense" else np.where(X.toarray(), X.toarray(), NAN)
    found = PrivateMF(**SMALL).fit(given)
    np.testing.assert_array_equal(found.profiles_.factors, EXPECTED.factors)
    assert found.item_ids_.tolist() == list(range(X.shape[1]))
    assert found.user_ids_.tolist() == list(range(X.shape[0]))
    assert found.n_features_in_ == X.shape[1]
    assert not hasattr(found.fit(TRIPLES), "n_features_in_")
    named = PrivateMF(**SMALL).fit(given, users=range(1, 13), items=[str(k) for k in range(1, 11)])
    assert named.profiles_ == EXPECTED
    assert named.user_ids_.tolist() == list(range(1, 13))
    assert named.item_ids_.tolist() == [str(k) for k in range(1, 11)]


def test_the_public_lists_may_hold_more_than_the_ratings() -> None:
    found = PrivateMF(**SMALL).fit(FRAME, users=range(20), items=pandas.Series(range(15)))
    assert found.item_ids_.tolist() == list(range(15))
    assert found.ratings_.n_users == 20
    with pytest.raises(RangeError, match="the item id is not in the catalogue"):
        PrivateMF(**SMALL).fit(FRAME, items=[1])


def test_ids_come_back_as_they_were() -> None:
    mixed = PrivateMF(**SMALL).fit([("ann", 7, 5), ("ann", "x", 4)])
    assert mixed.item_ids_.tolist() == ["7", "x"]
    assert mixed.user_ids_.tolist() == ["ann"]
    huge = PrivateMF(**SMALL).fit([(2**70, 2**70, 5)])
    assert huge.item_ids_.tolist() == [str(2**70)]


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "NoneType where a table of ratings belongs"),
    "a mapping": ({"user": [1]}, "dict where a table of ratings belongs"),
    "pairs": ([(1, 2)], "row 1 is not (user, item, rating)"),
    "texts": (["abc"], "row 1 is not (user, item, rating)"),
    "numbers": ([1, 2], "row 1 is not (user, item, rating)"),
    "a series": (FRAME["rating"], "row 1 is not (user, item, rating)"),
    "a wide frame": (pandas.DataFrame({1: [4.5], 2: [5.0]}), "no column of users is known"),
    "two user columns": (FRAME.assign(user_id=1), "may both be the column of the users"),
    "float ids": (FRAME.astype({"movieId": float}), "item: id number 1 is of type float"),
    "a missing id": (FRAME.astype(object).replace(3, None), "is of type NoneType"),
    "a missing rating": ([(1, 2, NAN)], "rating number 1 is not a finite number"),
    "null": (
        polars.DataFrame({"user": [1], "item": [2], "rating": [None]}),
        "rating number 1 is of type NoneType",
    ),
    "text ratings": (FRAME.astype({"rating": str}), "rating number 1 is of type str"),
    "off the scale": ([(1, 2, 7)], "rating number 1: the rating is off the scale from 0.5 to 5"),
    "off the grid": ([(1, 2, 4.1)], "it is no multiple of 1/2"),
    "twice": ([(1, 2, 4), (1, 2, 5)], "rating number 2: the user rates the item twice"),
    "an array of three columns": (np.full((2, 3), 4.0), "may be triples or ratings of three items"),
    "no file": ("no-such-file.csv", "no-such-file.csv: "),
    "no rows": (FRAME.head(0), "ratings table: no ratings, and no user catalogue"),
}  # fmt: skip


@pytest.mark.parametrize(("X", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_ratings_is_refused_in_one_line(X: Any, message: str) -> None:
    with pytest.raises(PpmfError) as caught:
        PrivateMF(**SMALL).fit(X)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.req("PPMF-FIX-006", "PPMF-FIX-008")
@pytest.mark.parametrize("kind", ["triples", "frame", "file", "matrix", "raw"])
def test_policies_hold_for_all_kinds_of_ratings(kind: str, tmp_path: Path) -> None:
    given = [(1, 7, 4.0), (1, 8, 3.25), (2, 7, 2.0), (1, 7, 5.0)]
    frame = pandas.DataFrame(given, columns=["userId", "movieId", "rating"])
    frame.to_csv(tmp_path / "r.csv", index=False)
    users, items, stars = zip(*given, strict=True)
    # Coordinates may repeat, and are ratings then: only a conversion to another format adds them.
    matrix = scipy.sparse.coo_array((stars, (users, items)), shape=(3, 9))
    X = {
        "triples": given,
        "frame": frame,
        "file": tmp_path / "r.csv",
        "matrix": matrix,
        "raw": RawRatings(users, items, stars),
    }[kind]
    with pytest.raises(RangeError, match='first at .*; duplicates="last" or duplicates="first"'):
        PrivateMF(**SMALL, rounding=True).fit(X)
    with pytest.raises(RangeError, match="like 1 of 3; rounding=True takes the nearest"):
        PrivateMF(**SMALL, duplicates="first").fit(X)
    for policy, kept in (("first", 4), ("last", 5)):
        found = PrivateMF(**SMALL, duplicates=policy, rounding=True).fit(X)
        expected: Any = [(1, 7, kept), (1, 8, 3.5), (2, 7, 2)]
        if kind == "matrix":
            users, items, stars = zip(*expected, strict=True)
            expected = scipy.sparse.coo_array((stars, (users, items)), shape=(3, 9))
        assert found.profiles_ == PrivateMF(**SMALL).fit(expected).profiles_
        assert found.recommend({7: 4.2}) == found.recommend({7: 4})
        assert found.recommend([(7, 4), (7, 5)]) == found.recommend({7: kept})
    with pytest.raises(ParametersError, match="duplicates = 'mean': must be one of refuse, last"):
        PrivateMF(duplicates="mean").fit(X)


def test_ratings_of_the_library_are_taken_as_they_are(tmp_path: Path) -> None:
    parameters = PrivateMF(**SMALL).fit(TRIPLES).parameters_
    ratings = rating_lists.quantise(RAW, parameters)
    assert PrivateMF(**SMALL).fit(RAW).profiles_ == EXPECTED
    assert PrivateMF(**SMALL).fit(ratings).profiles_ == EXPECTED
    with pytest.raises(RangeError, match="of the scale"):
        PrivateMF(**SMALL, rating_max=4).fit(ratings)
    with pytest.raises(RangeError, match="lists of users and items already"):
        PrivateMF(**SMALL).fit(ratings, users=[1])


def test_ratings_are_no_y() -> None:
    with pytest.raises(RangeError, match="y must be None"):
        PrivateMF().fit([(1, 2)], [4])  # type: ignore[arg-type]


# --- column names ---


def test_names_that_are_given_come_first() -> None:
    odd = FRAME.rename(columns={"userId": "who", "movieId": "what"}).assign(place=1)
    with pytest.raises(EncodingError, match='columns={"user": "NAME"} says which'):
        PrivateMF(**SMALL).fit(odd)
    found = PrivateMF(**SMALL, columns={"user": "who", "item": "what"}).fit(odd)
    assert found.profiles_ == EXPECTED
    assert found.predict(odd.head(3)[["who", "what"]]).shape == (3,)
    assert found.recommend(odd[odd.who == 1][["what", "rating"]]) == found.recommend(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"who": "userId"}, "columns: 'who' is not user, item or rating"),
        ({"user": "who"}, "the column who is not there; the columns are userId, movieId, rating"),
        (["userId"], "columns: list where a mapping belongs"),
    ],
)
def test_other_columns_are_refused(given: Any, message: str) -> None:
    with pytest.raises(EncodingError, match=message):
        PrivateMF(columns=given).fit(FRAME)


# --- V ---


def test_the_attributes_are_v(model: PrivateMF) -> None:
    unit = 1 << EXPECTED.frac_bits
    assert EXPECTED.bias is not None
    np.testing.assert_array_equal(model.item_factors_ * unit, EXPECTED.factors)
    np.testing.assert_array_equal(model.item_biases_ * unit, EXPECTED.bias)
    assert model.item_factors_.shape == (10, 2)
    without = PrivateMF(**SMALL, bias=False).fit(FRAME)
    assert not without.item_biases_.any()


@pytest.mark.parametrize("native", [pandas, polars, pyarrow, "pandas", "polars", "pyarrow"])
def test_v_is_a_frame_of_any_library(model: PrivateMF, native: Any) -> None:
    frame = model.item_profiles_frame(native)
    kinds = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "pyarrow": pyarrow.Table}
    assert isinstance(frame, kinds[native if isinstance(native, str) else native.__name__])
    names = list(frame.columns if hasattr(frame, "iloc") else pyarrow.table(frame).column_names)
    assert names == ["item", "bias", "factor_0", "factor_1"]
    if isinstance(frame, pandas.DataFrame):
        np.testing.assert_array_equal(frame[["factor_0", "factor_1"]], model.item_factors_)
        assert frame["item"].tolist() == model.item_ids_.tolist()


def test_v_is_a_frame_of_the_library_of_x() -> None:
    found = PrivateMF(**SMALL).fit(polars.from_pandas(FRAME))
    assert isinstance(found.item_profiles_frame(), polars.DataFrame)
    assert isinstance(PrivateMF(**SMALL).fit(TRIPLES).item_profiles_frame(), pandas.DataFrame)
    with pytest.raises(RangeError, match="native: 'dask' is not pandas"):
        found.item_profiles_frame("dask")


# --- a user's side ---


def test_a_user_of_the_training_is_recommended_what_ridge_finds(model: PrivateMF) -> None:
    row = RATINGS.users.index("3")
    columns, values = RATINGS.by_user()[row]
    rated = {j: 3 + Fraction(x, 2) for j, x in zip(columns, values, strict=True)}
    own = ridge.profile(rated, EXPECTED)
    best = [
        Recommendation(int(EXPECTED.items[one.row]), float(ridge.clip(one.rating, EXPECTED)))
        for one in ridge.top_n(own, EXPECTED, rated, 4)
    ]
    assert best
    by_item = {int(EXPECTED.items[j]): float(stars) for j, stars in rated.items()}
    frame = pandas.DataFrame({"item_id": list(by_item), "rating": list(by_item.values())})
    for user in (
        3, "3", np.int64(3), by_item, list(by_item.items()), frame, polars.from_pandas(frame),
    ):  # fmt: skip
        assert model.recommend(user, top=4) == best
    assert len(model.recommend(3, top=100)) == 10 - len(rated)
    pairs = [(3, one.item) for one in best]
    assert model.predict(pairs).tolist() == [one.rating for one in best]
    assert model.predict([one.item for one in best], user=by_item).tolist() == [
        one.rating for one in best
    ]


def test_own_ratings_may_be_a_file(model: PrivateMF, tmp_path: Path) -> None:
    mine = RAW.take([k for k, user in enumerate(RAW.users) if user == "5"])
    rating_lists.write_csv(tmp_path / "mine.csv", mine)
    assert model.recommend(tmp_path / "mine.csv") == model.recommend(5)
    rating_lists.write_csv(tmp_path / "all.csv", RAW)
    with pytest.raises(RangeError, match=r"ratings of 1\d users, not of one"):
        model.recommend(tmp_path / "all.csv")


def test_own_ratings_are_those_of_one_user(model: PrivateMF) -> None:
    """A frame says whose they are; pairs and a mapping do not."""
    assert model.recommend(FRAME[FRAME.userId == 5]) == model.recommend(5)
    mine = RAW.take([k for k, user in enumerate(RAW.users) if user == "5"])
    assert model.recommend(mine) == model.recommend(5)
    for several in (FRAME, RAW, polars.from_pandas(FRAME)):
        with pytest.raises(RangeError, match=r"ratings of 1\d users, not"):
            model.recommend(several)
        with pytest.raises(RangeError, match=r"ratings of 1\d users, not of one"):
            model.predict([4], user=several)


# --- score ---


def test_the_score_is_minus_the_error_in_stars(model: PrivateMF) -> None:
    held_out = [(1, 4, 5), (2, 4, 1.5), (3, 2, 3)]
    predicted = model.predict([pair[:2] for pair in held_out])
    errors = [float(one) - stars for one, (_, _, stars) in zip(predicted, held_out, strict=True)]
    expected = -float(np.sqrt(np.mean(np.square(errors))))
    frame = pandas.DataFrame(held_out, columns=["userId", "movieId", "rating"])
    assert model.score(held_out) == pytest.approx(expected, rel=1e-12)
    assert model.score(frame) == model.score(held_out)
    assert model.score(TRIPLES) > PrivateMF(rank=1, iterations=1, ridge=4096).fit(TRIPLES).score(
        TRIPLES
    )


def test_what_the_training_did_not_have_is_predicted_from_nothing(model: PrivateMF) -> None:
    bias = model.item_biases_[model.item_ids_.tolist().index(4)]
    assert model.score([("new", 4, 3)]) == pytest.approx(-abs(float(bias)))
    assert model.score([("new", "newer", 3)]) == 0.0


def test_a_score_of_a_matrix_is_of_its_rows_and_columns() -> None:
    stars = np.array([[4.5, 2.0], [5.0, np.nan], [np.nan, 1.0]])
    fitted = PrivateMF(**SMALL).fit(stars)
    held_out = np.array([[np.nan, np.nan], [np.nan, 4.0], [2.0, np.nan]])
    assert fitted.score(held_out) == fitted.score([(1, 1, 4), (2, 0, 2)])
    with pytest.raises(RangeError, match="score: 1 columns, where the matrix of fit had 2"):
        fitted.score(held_out[:, :1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.score(TRIPLES, [1]), "y must be None"),
        (lambda m: m.score([(1, 2, 7)]), "off the scale"),
        (lambda m: m.score([(1, 2, 3), (1, 2, 3)]), "rates the item twice"),
        (lambda m: m.score(np.full((2, 2), np.nan)), "score: no ratings"),
        (lambda m: PrivateMF.from_profiles(EXPECTED).score(TRIPLES), "no ratings of users"),
        (lambda m: PrivateMF().score(TRIPLES), "call fit first"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    model: PrivateMF, call: Callable[[PrivateMF], object], message: str
) -> None:
    with pytest.raises(PpmfError, match=message):
        call(model)


def test_nobody_who_rated_nothing_is_left_out(model: PrivateMF) -> None:
    assert len(model.recommend({}, top=3)) == 3


def test_similar_items_are_those_of_ridge(model: PrivateMF) -> None:
    near = ridge.similar(EXPECTED, EXPECTED.items.index("4"), 3)
    found = model.similar(4, top=3)
    assert [one.item for one in found] == [int(EXPECTED.items[one.row]) for one in near]
    assert isinstance(found[0], Neighbour)
    by_hand = np.linalg.norm(model.item_factors_ - model.item_factors_[3], axis=1)
    np.testing.assert_allclose([one.distance for one in found], sorted(by_hand)[1:4])


def test_published_profiles_are_enough(model: PrivateMF) -> None:
    public = PrivateMF.from_profiles(EXPECTED)
    assert [one.item for one in public.recommend({4: 5})] == [
        str(one.item) for one in model.recommend({4: 5})
    ]
    with pytest.raises(StateError, match="no ratings of users"):
        public.recommend("3")
    with pytest.raises(RangeError, match="profiles: dict where ItemProfiles belongs"):
        PrivateMF.from_profiles({})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.recommend(99), "no user of this id took part"),
        (lambda m: m.recommend(True), "where a table of ratings belongs"),
        (lambda m: m.recommend({99: 5}), "rating number 1: the item has no profile"),
        (lambda m: m.recommend({4: 5.5}), "rating number 1: the rating is off the scale"),
        (lambda m: m.recommend({4: 4.1}), "rating number 1: the rating is not on the grid"),
        (lambda m: m.recommend({4: "5"}), "rating number 1 is of type str"),
        (
            lambda m: m.recommend([(4, 5), ("4", 5)]),
            "rating number 2: the user rates the item twice, first at own ",
        ),
        (lambda m: m.recommend({4: 5}, top=0), "a list of 0 items: at least 1"),
        (lambda m: m.recommend({4: 5}, top=2.5), "top: float where a number of items belongs"),
        (lambda m: m.similar(99), "the item has no profile"),
        (lambda m: m.similar(4.0), "the item id is of type float"),
        (lambda m: m.similar(4, top=-1), "a list of -1 items: at least 1"),
        (lambda m: m.predict([(3, 99)]), "pair number 1: the item has no profile"),
        (lambda m: m.predict(matrix()), "row 1 is not (user, item)"),
        (lambda m: m.predict("4", user=3), "items: str where a list of ids belongs"),
    ],
)
def test_the_users_side_refuses_in_one_line(
    model: PrivateMF, call: Callable[[PrivateMF], object], message: str
) -> None:
    with pytest.raises(PpmfError) as caught:
        call(model)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.recommend({4: 5}),
        lambda m: m.predict([(3, 4)]),
        lambda m: m.similar(4),
        lambda m: m.item_profiles_frame(),
    ],
)
def test_nothing_is_told_before_fit(call: Callable[[PrivateMF], object]) -> None:
    with pytest.raises(NotFittedError, match="this PrivateMF is not fitted: call fit first"):
        call(PrivateMF())


# --- scikit-learn's habits ---


def test_the_arguments_are_the_parameters_with_their_defaults() -> None:
    model = PrivateMF()
    names = [field.name for field in fields(Parameters)]
    own = ["engine", "suite", "columns", "duplicates", "rounding", "progress"]
    assert sorted(model.get_params()) == sorted(names + own)
    assert PrivateMF(iterations=1).fit([(1, 2, 3)]).parameters_ == Parameters(iterations=1)
    kinds = {one.kind for one in inspect.signature(PrivateMF).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_parameters_are_kept_as_given_and_shown() -> None:
    ridge_given = Fraction(1, 2)
    model = PrivateMF(ridge=ridge_given, rating_max="10")
    assert model.get_params()["ridge"] is ridge_given
    assert repr(model) == "PrivateMF(rating_max='10', ridge=Fraction(1, 2))"
    assert model.set_params(rank=3) is model
    assert model.rank == 3
    with pytest.raises(ParametersError, match="unknown parameter 'ranks' of PrivateMF"):
        model.set_params(ranks=3)


@pytest.mark.parametrize("number", ["0.75", 0.75, Fraction(3, 4), np.float64(0.75)])
def test_a_fraction_may_be_written_in_any_way(number: Any) -> None:
    found = PrivateMF(rank=np.int64(1), iterations=1, bias=np.bool_(True), ridge=number)  # type: ignore[arg-type]
    assert found.fit(TRIPLES).parameters_.ridge == Fraction(3, 4)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"ridge": 0.1}, "ridge = 3602879701896397/36028797018963968"),
        ({"ridge": "a lot"}, "ridge is not a plain decimal number"),
        ({"ridge": NAN}, "ridge is not a finite number"),
        ({"ridge": None}, "ridge is of type NoneType, not a number"),
        ({"rank": 2.0}, "rank = a float: must be an integer"),
        ({"engine": "ALS"}, "engine = 'ALS': must be one of oracle, secure"),
    ],
)
def test_bad_parameters_are_refused_at_fit(argument: dict[str, Any], message: str) -> None:
    model = PrivateMF(**argument)
    with pytest.raises(ParametersError) as caught:
        model.fit(TRIPLES)
    assert message in str(caught.value)


def test_another_scale_is_asked_for_by_its_parameters() -> None:
    ten = [(user, item, 2 * stars) for user, item, stars in TRIPLES]
    scale: dict[str, Any] = {"rating_min": 1, "rating_max": 10, "rating_offset": 6}
    found = PrivateMF(**SMALL, **scale).fit(ten)
    assert found.predict([(3, 4)])[0] > 5
    again = found.fit(FRAME.assign(rating=2 * FRAME["rating"]))
    assert again.profiles_ == found.profiles_


def test_a_pickle_gives_the_same_and_repr_shows_no_ratings(model: PrivateMF) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert again.recommend(3) == model.recommend(3)
    assert "314" not in repr(PrivateMF(**SMALL).fit([(314, 271, 4.5)]))
    assert "314" not in repr(PrivateMF(**SMALL).fit([(314, 271, 4.5)]).ratings_)


# --- engines ---


def test_progress_of_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    PrivateMF(**SMALL, progress=lambda done, total: told.append((done, total))).fit(TRIPLES)
    assert told == [(2, 4), (4, 4)]
    PrivateMF(**SMALL, progress=True).fit(TRIPLES)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "ppmf: 2 of 4 half-steps\nppmf: 4 of 4 half-steps\n")


def test_the_secure_engine_gives_the_same_and_tells_its_progress() -> None:
    few = [(user, item, stars) for user, item, stars in TRIPLES if user <= 4 and item <= 4]
    settings: dict[str, Any] = {"rank": 1, "iterations": 1}
    told: list[tuple[int, int]] = []
    secure = PrivateMF(
        **settings,
        engine="secure",
        suite="rlwe-64-insecure",
        progress=lambda done, total: told.append((done, total)),
    ).fit(few)
    assert secure.profiles_ == PrivateMF(**settings).fit(few).profiles_
    assert told[0] == (0, 2)
    assert told == sorted(set(told))
    assert {total for _, total in told} == {2}


def test_a_script_without_a_guard_trains_once(tmp_path: Path) -> None:
    """A new process of Python reads the script that started it, unless it is kept from doing so."""
    script = tmp_path / "script.py"
    script.write_text(
        "import ppmf\n"
        "print('begin')\n"
        "model = ppmf.PrivateMF(rank=1, iterations=1, engine='secure', suite='rlwe-64-insecure')\n"
        "print(model.fit([(1, 7, 5), (2, 8, 4)]).item_ids_)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("begin\n[7 8]\n", "", 0)


def test_without_their_extras_one_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, model: PrivateMF
) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    line = r"a data frame needs narwhals, which is not installed: pip install 'ppmf\[frames\]'"
    with pytest.raises(MissingExtraError, match=line):
        PrivateMF(**SMALL).fit(FRAME)
    with pytest.raises(MissingExtraError, match=line):
        model.item_profiles_frame()
    assert PrivateMF(**SMALL).fit(TRIPLES).profiles_ == EXPECTED


def test_it_is_a_name_of_the_library() -> None:
    assert ppmf.PrivateMF is PrivateMF
