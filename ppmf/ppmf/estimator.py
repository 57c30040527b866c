# SPDX-License-Identifier: Apache-2.0
"""`PrivateMF`: from ratings to item profiles and recommendations, with scikit-learn's habits.

The class does what the commands `ppmf oracle`, `ppmf train`, `ppmf recommend` and `ppmf similar`
do, on objects in memory. scikit-learn is not needed; its `clone`, `get_params` and `set_params`
work all the same.
"""

from __future__ import annotations

import inspect
import operator
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from importlib import import_module
from math import sqrt
from types import ModuleType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ppmf import reading
from ppmf.data import rating_tables
from ppmf.data.data_frames import TableColumns, columns_of, is_frame, library_of
from ppmf_reference import fixed, ridge
from ppmf_reference.arrays import stars_in
from ppmf_reference.ridge import UserProfile
from ppmf_spec.decimals import exact_number, parse_decimal
from ppmf_spec.errors import (
    EncodingError,
    ParametersError,
    PpmfError,
    RangeError,
    StateError,
    check_type,
)
from ppmf_spec.extras import needed_by
from ppmf_spec.ids import id_text, id_texts
from ppmf_spec.parameters import DYADIC_DOMAIN, INTEGER_DOMAIN, Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, RatingScale, RawRatings, check_scale, quantise

ENGINES = ("oracle", "secure")
_TABLE, _OWN = "ratings table", "own ratings"
_PARAMETERS = tuple(field.name for field in fields(Parameters))
_DEFAULT = Parameters()

OnProgress = Callable[[int, int], None]


class NotFittedError(StateError):
    """A result was asked for before `fit`."""


class Recommendation(NamedTuple):
    """An item, and the rating predicted for it in stars, clipped to the scale."""

    item: str | int
    rating: float


class Neighbour(NamedTuple):
    """An item, and the Euclidean distance of its factors at real scale."""

    item: str | int
    distance: float


class PrivateMF:
    """Private matrix factorisation by proximal alternating linearised minimisation.

    `fit` computes the item profiles V, the function F_fix of chapter 2, from ratings. A user's
    recommendations need V and the user's own ratings, and nothing else.

    `engine` is "oracle", which computes in the clear, or "secure", which trains with all three
    parties on this machine under the cipher `suite`, or under the fastest that holds the size if
    that is "auto"; V is the same, bit for bit. The secure engine needs the extra `ppmf[secure]`;
    `ppmf estimate` says how long it takes.

    `columns` names the columns of a data frame where they do not have usual names: a mapping with
    the keys "user", "item" and "rating". `duplicates` says what is done with a user's second rating
    of an item: "refuse" it, or keep the "last" or the "first" in their order. `rounding` takes the
    nearest point of the grid for a rating between two, half-way up, instead of refusing it. These
    hold for the ratings of a training, for those of `score` and for a user's own. `progress` is
    True, for lines on the standard error stream, or a function that is called with the half-steps
    that are done and their number.

    All other arguments are the public parameters of chapter 3. Numbers that need a fraction may be
    floats, which are taken at their exact value, decimal strings, or fractions.

    A fitted estimator has these attributes; m is the number of items, n that of users:

    - `item_ids_` and `user_ids_`, arrays of shape (m,) and (n,): integers if all ids in X were,
      otherwise text; in the order of rows (PPMF-FIX-003);
    - `item_factors_`, float64 (m, rank), and `item_biases_`, float64 (m,), zeros without biases: V
      at real scale, exactly;
    - `profiles_`, the `ItemProfiles`, which can be published: `ppmf.write_profiles` writes them;
    - `ratings_`, the `Ratings` of the training. They are secret and are pickled with the estimator;
      `PrivateMF.from_profiles(model.profiles_)` has V alone;
    - `parameters_`, the `Parameters` of the training;
    - `n_features_in_`, the number of columns, if X was a matrix.

    >>> import ppmf
    >>> ratings = [("ann", 7, 5), ("ann", 8, 1.5), ("bob", 7, 4.5), ("bob", 9, 4), ("eve", 8, 2)]
    >>> model = ppmf.PrivateMF(rank=2, ridge=1).fit(ratings)
    >>> model.recommend("eve", top=1)[0].item
    7
    >>> [one.item for one in model.recommend({8: 1}, top=2)]
    [7, 9]
    """

    def __init__(
        self,
        *,
        rank: int = _DEFAULT.rank,
        iterations: int = _DEFAULT.iterations,
        inner_steps: int = _DEFAULT.inner_steps,
        frac_bits: int = _DEFAULT.frac_bits,
        step_bits: int = _DEFAULT.step_bits,
        step_guard_bits: int = _DEFAULT.step_guard_bits,
        box_bits: int = _DEFAULT.box_bits,
        bias: bool = _DEFAULT.bias,
        rating_offset: float | str | Fraction = float(_DEFAULT.rating_offset),
        rating_frac_bits: int = _DEFAULT.rating_frac_bits,
        rating_min: float | str | Fraction = float(_DEFAULT.rating_min),
        rating_max: float | str | Fraction = float(_DEFAULT.rating_max),
        ridge: float | str | Fraction = float(_DEFAULT.ridge),
        l1: float | str | Fraction = float(_DEFAULT.l1),
        regulariser: str = _DEFAULT.regulariser,
        step_rule: str = _DEFAULT.step_rule,
        curvature_shift: int = _DEFAULT.curvature_shift,
        damping: int = _DEFAULT.damping,
        inertia: float | str | Fraction = float(_DEFAULT.inertia),
        ring_bits: int = _DEFAULT.ring_bits,
        seed: str = _DEFAULT.seed,
        engine: str = "oracle",
        suite: str = "auto",
        columns: Mapping[str, str] | None = None,
        duplicates: str = "refuse",
        rounding: bool = False,
        progress: bool | OnProgress = False,
    ) -> None:
        self.rank = rank
        self.iterations = iterations
        self.inner_steps = inner_steps
        self.frac_bits = frac_bits
        self.step_bits = step_bits
        self.step_guard_bits = step_guard_bits
        self.box_bits = box_bits
        self.bias = bias
        self.rating_offset = rating_offset
        self.rating_frac_bits = rating_frac_bits
        self.rating_min = rating_min
        self.rating_max = rating_max
        self.ridge = ridge
        self.l1 = l1
        self.regulariser = regulariser
        self.step_rule = step_rule
        self.curvature_shift = curvature_shift
        self.damping = damping
        self.inertia = inertia
        self.ring_bits = ring_bits
        self.seed = seed
        self.engine = engine
        self.suite = suite
        self.columns = columns
        self.duplicates = duplicates
        self.rounding = rounding
        self.progress = progress

    # --- parameters, as scikit-learn has them ---

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name, as they were given; `deep` changes nothing."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Self:
        """Set arguments of the constructor; ParametersError for a name that it does not have."""
        names = self._names()
        for name in params:
            if name not in names:
                raise ParametersError(f"unknown parameter {name[:60]!a} of {type(self).__name__}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(signature[name].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "profiles_")

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn asks, so it is there; the package does not depend on it.
        utils = import_module("sklearn.utils")
        return utils.Tags(
            estimator_type=None,
            target_tags=utils.TargetTags(required=False),
            input_tags=utils.InputTags(two_d_array=False, sparse=True, dict=False, string=True),
            no_validation=True,
        )

    # --- training ---

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        users: Iterable[str | int] | None = None,
        items: Iterable[str | int] | None = None,
    ) -> Self:
        """Train on ratings, and return the estimator.

        X is a data frame of pandas, polars, pyarrow or another library that narwhals reads, with a
        column each for the user, the item and the rating; an iterable of (user, item, rating); a
        users x items matrix, of scipy.sparse, where each stored entry is a rating, or of numpy,
        where NaN is none; or the path of a file of ratings. Ids are text or integers. `users` and
        `items` are the public lists of ids; without them, those that occur in X, or for a matrix
        the numbers of its rows and columns. `RawRatings`, as `ppmf.read_ratings` gives them, and
        `Ratings` of the scale of the parameters will do, too. `y` is there for scikit-learn and
        must be None.

        Raises a PpmfError in one line, as `ppmf.quantise` and `ppmf.train_fixed` do, for bad
        parameters or ratings, and MissingExtraError without the extra that X or `engine` needs.
        """
        if y is not None:
            raise RangeError("y: ratings are part of X, so y must be None")
        if self.engine not in ENGINES:
            raise ParametersError(f"engine = {self.engine!r}: must be one of {', '.join(ENGINES)}")
        params = self._parameters()
        users, items = (None if ids is None else list(ids) for ids in (users, items))
        vars(self).pop("n_features_in_", None)
        self._library: str | None = None
        ratings, user_ids, item_ids = self._ratings(X, params, users, items)
        if _is_matrix(X):
            self.n_features_in_ = int(X.shape[1])
        elif is_frame(X):
            self._library = library_of(X)
        self.profiles_ = self._train(ratings, params)
        self.parameters_ = params
        self.ratings_ = ratings
        self._row_of_user = {text: row for row, text in enumerate(ratings.users)}
        self.user_ids_ = _as_given(ratings.users, user_ids)
        self._adopt(self.profiles_, item_ids)
        return self

    @classmethod
    def from_profiles(cls, profiles: ItemProfiles, **params: Any) -> Self:
        """An estimator fitted with published item profiles, for a user's own recommendations.

        It has no `ratings_`, so that `recommend` and `predict` need the ratings of the user.
        """
        check_type(profiles, ItemProfiles, "profiles")
        model = cls(**params)
        model.profiles_ = profiles
        model._library = None
        model._adopt(profiles, [])
        return model

    def _adopt(self, profiles: ItemProfiles, given: Iterable[object]) -> None:
        """Set what follows from V."""
        unit = 1 << profiles.frac_bits
        self.item_ids_ = _as_given(profiles.items, given)
        self.item_factors_ = profiles.factors / unit
        bias = np.zeros(len(profiles.items)) if profiles.bias is None else profiles.bias / unit
        self.item_biases_ = bias
        self._row_of = {text: row for row, text in enumerate(profiles.items)}
        self._of_user: dict[int, tuple[UserProfile, dict[int, Fraction]]] = {}

    def _parameters(self) -> Parameters:
        """The public parameters as chapter 3 has them."""
        values: dict[str, Any] = {}
        for name in _PARAMETERS:
            value = getattr(self, name)
            if name in DYADIC_DOMAIN:
                value = _dyadic(name, value)
            elif name in INTEGER_DOMAIN and isinstance(value, np.integer):
                value = operator.index(value)  # a search over np.arange gives such numbers
            elif isinstance(value, np.bool_):
                value = bool(value)
            values[name] = value
        return Parameters(**values)

    def _reading(self) -> rating_tables.Reading:
        return reading.reading(self.columns, None, self.duplicates, self.rounding)

    def _ratings(
        self, X: Any, params: Parameters, users: list[Any] | None, items: list[Any] | None
    ) -> tuple[Ratings, Iterable[object], Iterable[object]]:
        """The ratings in X, and the ids of users and items as they were given."""
        if isinstance(X, Ratings):
            if users is not None or items is not None:
                raise RangeError("ratings: they have lists of users and items already")
            check_scale(X, params)
            return X, X.users, X.items
        chosen = self._reading()
        if _is_matrix(X):
            if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 3:
                raise EncodingError(
                    f"{_TABLE}: an array of three columns may be triples or ratings of three "
                    "items; pass triples as X.tolist(), and a matrix as scipy.sparse"
                )
            raw, user_list, item_list = stars_in(X, users=users, items=items)
            raw = reading.settled(raw, chosen, RatingScale.of(params))
            ratings = quantise(raw, params, users=user_list, items=item_list)
            n, m = X.shape
            return ratings, users or range(n), items or range(m)
        raw, user_ids, item_ids = self._raw(X, chosen)
        raw = reading.settled(raw, chosen, RatingScale.of(params))
        ratings = quantise(raw, params, users=users, items=items)
        return ratings, [*user_ids, *(users or ())], [*item_ids, *(items or ())]

    def _raw(
        self, X: Any, chosen: rating_tables.Reading
    ) -> tuple[RawRatings, Iterable[object], Iterable[object]]:
        """The ratings in a table or a file, before the policies, and their ids as given."""
        if isinstance(X, str | os.PathLike):
            with reading.arguments_named():
                X = reading.raw_ratings(X, chosen)
        if isinstance(X, RawRatings):
            return X, X.users, X.items
        with reading.arguments_named():
            table = columns_of(X, ("user", "item", "rating"), self.columns)
        raw = RawRatings(
            users=id_texts(table["user"], f"{_TABLE}: user"),
            items=id_texts(table["item"], f"{_TABLE}: item"),
            values=tuple(table["rating"]),
            source=_TABLE,
        )
        return raw, table["user"], table["item"]

    def _train(self, ratings: Ratings, params: Parameters) -> ItemProfiles:
        if self.progress is True:
            tell: OnProgress = _line
        else:
            tell = self.progress or (lambda done, total: None)
        total = 2 * params.iterations
        if self.engine == "oracle":
            return fixed.train(ratings, params, on_iteration=lambda t: tell(2 * t, total))
        with needed_by(f"{type(self).__name__}(engine='secure')"):
            from ppmf_secure.protocols.suite_choice import suite_for
            from ppmf_secure.transport import processes
        suite = suite_for(self.suite, params, ratings.n_users, ratings.n_items).name
        told = -1

        def told_once(now: Any) -> None:
            nonlocal told
            if now.done > told:  # both servers report each half-step, in several phases
                told = now.done
                tell(now.done, now.total)

        return processes.train(ratings, params, suite=suite, progress=told_once).profiles

    # --- what a user does with V ---

    def recommend(self, user: Any, top: int = 10) -> list[Recommendation]:
        """The `top` items of highest predicted rating that the user has not rated, best first.

        `user` is the id of a user of the training; or the ratings of any user: a mapping from item
        to stars, pairs (item, stars), a data frame with columns for the item and the rating, or
        `RawRatings` or the `pathlib.Path` of a file with the ratings of one user. Raises RangeError
        for an unknown user, ratings of several users, an item without a profile, and a rating off
        the scale.
        """
        own, rated = self._profile(user)
        best = ridge.top_n(own, self._fitted(), rated, _count(top))
        return [Recommendation(self._item(one.row), self._stars(one.rating)) for one in best]

    def predict(self, X: Any, user: Any = None) -> NDArray[np.float64]:
        """The predicted ratings in stars, float64 (c,), clipped to the scale.

        X has c pairs (user, item): a data frame with columns for the user and the item, or an
        iterable of pairs; each user is one of the training. With `user`, as `recommend` takes it, X
        is a list of items, all of them predicted for that user.
        """
        profiles = self._fitted()
        if user is None:
            with reading.arguments_named():
                table = columns_of(X, ("user", "item"), self.columns)
            whose = [self._profile(one)[0] for one in table["user"]]
            items = table["item"]
        else:
            items = list(id_texts(X, "items"))
            whose = [self._profile(user)[0]] * len(items)
        rows = [self._row(item, f"pair number {k}") for k, item in enumerate(items, start=1)]
        found = [
            self._stars(ridge.predict(own, profiles, row))
            for own, row in zip(whose, rows, strict=True)
        ]
        return np.array(found, dtype=np.float64)

    def score(
        self,
        X: Any,
        y: None = None,
        *,
        users: Iterable[str | int] | None = None,
        items: Iterable[str | int] | None = None,
    ) -> float:
        """Minus the root of the mean squared error of the predictions for the ratings in X, in
        stars: larger is better, and 0 is best, as `neg_root_mean_squared_error` of scikit-learn.

        X is what `fit` takes, with ratings that were held out, and `users` and `items` are the ids
        of a matrix. Each user's profile is fitted to the user's ratings of the training. A user
        without any has the profile 0, and so has an item that was not in the training.
        """
        profiles = self._fitted()
        if getattr(self, "ratings_", None) is None:
            raise StateError("the estimator has no ratings of users, to which profiles are fitted")
        if y is not None:
            raise RangeError("y: ratings are part of X, so y must be None")
        users, items = (None if ids is None else list(ids) for ids in (users, items))
        width = getattr(self, "n_features_in_", None)
        if _is_matrix(X) and items is None and width not in (None, X.shape[-1]):
            raise RangeError(f"score: {X.shape[-1]} columns, where the matrix of fit had {width}")
        held_out, _, _ = self._ratings(X, self.parameters_, users, items)
        if not len(held_out):
            raise RangeError("score: no ratings")
        stars = float(profiles.rating_offset) + held_out.value / 2.0**profiles.rating_frac_bits
        pairs = zip(held_out.user.tolist(), held_out.item.tolist(), strict=True)
        predicted = [
            self._expected(held_out.users[user], held_out.items[item]) for user, item in pairs
        ]
        return -float(np.sqrt(np.mean((np.array(predicted) - stars) ** 2)))

    def _expected(self, user: str, item: str) -> float:
        """The prediction for a pair of ids, of which either may be unknown."""
        profiles = self.profiles_
        own = UserProfile((Fraction(0),) * profiles.rank, Fraction(0))
        if user in self._row_of_user:
            own = self._profile(user)[0]
        row = self._row_of.get(item)
        if row is None:
            return self._stars(profiles.rating_offset + own.bias)
        return self._stars(ridge.predict(own, profiles, row))

    def similar(self, item: str | int, top: int = 10) -> list[Neighbour]:
        """The `top` items nearest to an item, by the Euclidean distance of their factors."""
        profiles = self._fitted()
        near = ridge.similar(profiles, self._row(item, "similar"), _count(top))
        unit = 1 << profiles.frac_bits
        return [Neighbour(self._item(one.row), sqrt(one.squared_distance) / unit) for one in near]

    def item_profiles_frame(self, native: ModuleType | str | None = None) -> Any:
        """V as a data frame, an item a row: `item`, `bias`, `factor_0`, `factor_1`, .. as reals.

        `native` is the library of the frame, such as `pandas` or "polars"; by default that of the
        data frame in `fit`, or pandas.
        """
        self._fitted()
        with needed_by("a data frame"):
            import narwhals as nw
        library = native if native is not None else self._library or "pandas"
        name = library.__name__ if isinstance(library, ModuleType) else library
        if name not in ("pandas", "polars", "pyarrow"):
            raise RangeError(f"native: {str(name)[:40]!a} is not pandas, polars or pyarrow")
        backend: Any = name
        columns = {
            "item": self.item_ids_.tolist(),
            "bias": self.item_biases_.tolist(),
            **{f"factor_{k}": column.tolist() for k, column in enumerate(self.item_factors_.T)},
        }
        try:
            return nw.from_dict(columns, backend=backend).to_native()
        except ModuleNotFoundError as error:
            raise StateError(f"native: {name} is not installed") from error

    def _fitted(self) -> ItemProfiles:
        if not hasattr(self, "profiles_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted: call fit first")
        return self.profiles_

    def _item(self, row: int) -> str | int:
        found: str | int = self.item_ids_[row].item()
        return found

    def _stars(self, rating: Fraction) -> float:
        return float(ridge.clip(rating, self.profiles_))

    def _row(self, item: object, where: str) -> int:
        row = self._row_of.get(id_text(item, f"{where}: the item id"))
        if row is None:
            raise RangeError(f"{where}: the item has no profile")
        return row

    def _profile(self, user: Any) -> tuple[UserProfile, dict[int, Fraction]]:
        """The user's own profile, and the user's ratings in stars by row."""
        profiles = self._fitted()
        if not isinstance(user, str | int | np.integer) or isinstance(user, bool):
            rated = self._own_ratings(user)
            return ridge.profile(rated, profiles), rated
        ratings = getattr(self, "ratings_", None)
        if ratings is None:
            raise StateError("the estimator has no ratings of users: give those of the user")
        row = self._row_of_user.get(id_text(user, "the user id"), -1)
        if row < 0:
            raise RangeError("no user of this id took part in the training")
        if row not in self._of_user:
            low, high = np.searchsorted(ratings.user, (row, row + 1))
            scale = ratings.scale
            rated = {
                item: scale.offset + Fraction(value, 1 << scale.frac_bits)
                for item, value in zip(
                    ratings.item[low:high].tolist(), ratings.value[low:high].tolist(), strict=True
                )
            }
            self._of_user[row] = ridge.profile(rated, profiles), rated
        return self._of_user[row]

    def _own_ratings(self, given: Any) -> dict[int, Fraction]:
        raw = self._own_raw(given)
        users = len(set(raw.users))
        if users > 1:
            raise RangeError(f"{raw.source}: ratings of {users:,} users, not of one")
        raw = reading.settled(raw, self._reading(), self.profiles_.scale)
        rated: dict[int, Fraction] = {}
        for index, (item, stars) in enumerate(zip(raw.items, raw.values, strict=True)):
            where = raw.where(index)
            row = self._row(item, where)
            rated[row] = stars
            try:
                ridge.check_rating(self.profiles_, row, stars)
            except RangeError as error:
                raise RangeError(f"{where}: {str(error).split(': ', 1)[-1]}") from error
        return rated

    def _own_raw(self, given: Any) -> RawRatings:
        """Ratings that a caller brings for one user, as they stand."""
        if isinstance(given, RawRatings | os.PathLike):
            return self._raw(given, self._reading())[0]
        if isinstance(given, Mapping):
            table = TableColumns({"item": list(given), "rating": list(given.values())})
        else:
            with reading.arguments_named():
                table = columns_of(given, ("item", "rating"), self.columns, optional=("user",))
        owners = table["user"] if "user" in table else ["0"] * len(table["item"])
        return RawRatings(
            users=id_texts(owners, f"{_OWN}: user"),
            items=id_texts(table["item"], f"{_OWN}: item"),
            values=tuple(table["rating"]),
            source=_OWN,
        )


def _is_matrix(X: object) -> bool:
    return isinstance(X, np.ndarray) or hasattr(X, "tocoo")


def _dyadic(name: str, value: object) -> Fraction:
    try:
        if isinstance(value, str):
            return parse_decimal(value, name)
        return exact_number(value, name)
    except PpmfError as error:
        raise ParametersError(str(error)) from error


def _count(top: object) -> int:
    if isinstance(top, bool) or not isinstance(top, int | np.integer):
        raise RangeError(f"top: {type(top).__name__} where a number of items belongs")
    return int(top)


def _as_given(texts: tuple[str, ...], given: Iterable[object]) -> NDArray[Any]:
    """Ids in row order: integers if all that were given are integers that int64 holds."""
    known = set(map(type, given))
    if known and all(issubclass(kind, int | np.integer) for kind in known):
        numbers = list(map(int, texts))
        if max(map(abs, numbers), default=0) < 2**63:
            return np.array(numbers, dtype=np.int64)
    return np.array(texts, dtype=object) if not texts else np.array(texts)


def _line(done: int, total: int) -> None:
    print(f"ppmf: {done} of {total} half-steps", file=sys.stderr, flush=True)
