# SPDX-License-Identifier: Apache-2.0
"""Several parameter sets, each trained by the oracle and measured on ratings set aside.

The ratings set aside are a tenth of the training part, never the held-out ones: a set that was
chosen because it fits the held-out ratings would look better on them than it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from ppmf.evaluation import baseline, metrics, predictors
from ppmf_reference import fixed
from ppmf_spec.bounds import bounds
from ppmf_spec.decimals import parse_decimal
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import DYADIC_DOMAIN, INTEGER_DOMAIN, Parameters
from ppmf_spec.ratings import Ratings, split_holdout

SET_ASIDE = "sweep"
"""The label of the tenth of the training part on which the sets are measured."""

# The parameters that say what a rating means are no choice: they belong to the data.
NAMES = tuple(name for name in (*INTEGER_DOMAIN, *DYADIC_DOMAIN) if not name.startswith("rating_"))


@dataclass(frozen=True, slots=True)
class Choice:
    """One set of a sweep: the values that make it, by name, as they were given, and the set."""

    values: Mapping[str, str]
    params: Parameters


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a choice scored on the ratings set aside.

    secure_seconds: how long the secure training with it will take; None if it is not known.
    """

    choice: Choice
    errors: metrics.Errors
    secure_seconds: float | None

    def as_dict(self) -> dict[str, object]:
        """The members of the JSON of `ppmf evaluate`."""
        return {
            "values": dict(self.choice.values),
            "rmse": self.errors.rmse,
            "mae": self.errors.mae,
            "secure_seconds": self.secure_seconds,
        }


def choices(params: Parameters, axes: Sequence[str]) -> list[Choice]:
    """Every combination of the values of `axes`, each a text "name=value,value,...".

    Raises ParametersError for a text of another form, a name that cannot be swept or occurs twice,
    and a set outside its domain; EncodingError for a value that is no decimal number.
    """
    by_name: dict[str, dict[str, int | Fraction]] = {}
    for axis in axes:
        name, equals, values = axis.partition("=")
        if not equals or name not in NAMES:
            raise ParametersError(
                f"--sweep {axis[:60]!a}: not NAME=VALUE,VALUE,... with one of {', '.join(NAMES)}"
            )
        if name in by_name:
            raise ParametersError(f"--sweep {name}: given twice")
        by_name[name] = {text.strip(): _value(name, text.strip()) for text in values.split(",")}
    found = []
    for values_of_set in product(*by_name.values()):
        texts = dict(zip(by_name, values_of_set, strict=True))
        numbers = {name: by_name[name][text] for name, text in texts.items()}
        found.append(Choice(texts, replace(params, **numbers)))  # type: ignore[arg-type]
    return found


def _value(name: str, text: str) -> int | Fraction:
    if name in DYADIC_DOMAIN:
        return parse_decimal(text, f"--sweep {name}: a value")
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise ParametersError(f"--sweep {name}: {text[:40]!a} is not an integer")
    return int(text)


def check(found: Sequence[Choice], users: int, items: int) -> None:
    """Refuse a set that could overflow at this size before any is trained."""
    for choice in found:
        bounds(choice.params, users, items)


def run(
    found: Sequence[Choice],
    training: Ratings,
    *,
    secure_seconds: Callable[[Parameters], float | None],
    on_iteration: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Train with every choice; the outcomes by error, the best first.

    `training` (without the held-out ratings) is split here. `on_iteration` is told the iterations
    finished over all choices. Raises RangeError if there is nothing to set aside.
    """
    fit, aside = split_holdout(training, SET_ASIDE)
    if not len(fit) or not len(aside):
        raise RangeError(
            f"--sweep: {len(training):,} training ratings are too few to set any aside"
        )
    outcomes = []
    before = 0

    def report(done: int) -> None:
        on_iteration(before + done)

    for choice in found:
        profiles = fixed.train(fit, choice.params, on_iteration=report)
        before += choice.params.iterations
        predicted = predictors.private(profiles, fit).model.predict(aside, choice.params)
        errors = metrics.errors(predicted, baseline.stars(aside, choice.params))
        outcomes.append(Outcome(choice, errors, secure_seconds(choice.params)))
    return sorted(outcomes, key=lambda one: one.errors.rmse)
