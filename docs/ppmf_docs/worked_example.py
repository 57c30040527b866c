# SPDX-License-Identifier: Apache-2.0
"""The page "A worked example": every number from the oracle, when the site is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from ppmf_docs.tables import table
from ppmf_docs.toy_training import PARAMETERS, RATINGS, STARS
from ppmf_reference import certified, fixed, ridge
from ppmf_reference.fixed import Matrix, Row, Step
from ppmf_spec import words
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles, dumps

USER = 0
"""The row that the page follows: ann."""

F, Q, G = PARAMETERS.frac_bits, PARAMETERS.step_bits, PARAMETERS.step_guard_bits
COORDINATES = [f"factor {k + 1}" for k in range(PARAMETERS.rank)] + ["bias"]


@dataclass(frozen=True)
class OneRow:
    """All values of a half-step on one row; lists run over counterparts or coordinates."""

    before: Row
    counterparts: Sequence[int]
    targets: Sequence[int]
    others: Matrix
    step: Step
    residuals: Row
    gradient: Row
    z: Row
    proxed: Row
    after: Row

    @property
    def steps(self) -> Row:
        """The step of each coordinate."""
        assert self.step.bias is not None, "the example has biases"
        return [self.step.factors] * PARAMETERS.rank + [self.step.bias]


@cache
def states() -> tuple[fixed.State, ...]:
    """The run by half-steps."""
    return tuple(fixed.iterate(RATINGS, PARAMETERS))


@cache
def profiles() -> ItemProfiles:
    """F_fix of the example."""
    return fixed.train(RATINGS, PARAMETERS)


@cache
def followed() -> OneRow:
    """The first half-step's work on the row that the page follows."""
    users, items = fixed.start(PARAMETERS, RATINGS.n_users, RATINGS.n_items)
    counterparts, targets = RATINGS.by_user()[USER]
    before, half_step = users[USER], states()[0].half_step
    others = [items[j] for j in counterparts]
    residuals = [
        sum(x * y for x, y in zip(before[:-1], other[:-1], strict=True))
        - (target << (2 * F - PARAMETERS.rating_frac_bits))
        + ((before[-1] + other[-1]) << F)
        for other, target in zip(others, targets, strict=True)
    ]
    # the oracle's own view of a counterpart: its bias is on the other side of the equation
    own = [[*other[:-1], 1 << F] for other in others]
    moved = [
        (target << (2 * F - PARAMETERS.rating_frac_bits)) - (other[-1] << F)
        for other, target in zip(others, targets, strict=True)
    ]
    step, z = half_step.steps[USER], half_step.z[0][USER]
    return OneRow(
        before=before,
        counterparts=counterparts,
        targets=targets,
        others=others,
        step=step,
        residuals=residuals,
        gradient=fixed.gradient(before, own, moved, PARAMETERS),
        z=z,
        proxed=[words.prox_elastic_net(value, step.tau) for value in z[:-1]] + [z[-1]],
        after=half_step.rows[USER],
    )


# What follows makes the page's tables, in its order.


def parameters() -> str:
    """The parameters that differ from the defaults, as a parameter file."""
    default, ours = Parameters().as_dict(), PARAMETERS.as_dict()
    lines = [
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in ours.items()
        if value != default[name]
    ]
    return "```toml\n" + "\n".join(lines) + "\n```\n"


def ratings() -> str:
    """The stars, with gaps."""
    rows = [
        [user, *("" if value != value else f"{value:g}" for value in line)]
        for user, line in zip(RATINGS.users, STARS.tolist(), strict=True)
    ]
    return table(["user", *RATINGS.items], rows, right=(1, 2, 3))


def scaled() -> str:
    """The integers x_ij."""
    rows = [[user, *[""] * RATINGS.n_items] for user in RATINGS.users]
    for user, item, value in zip(RATINGS.user, RATINGS.item, RATINGS.value, strict=True):
        rows[user][1 + item] = f"{value:,}"
    return table(["user", *RATINGS.items], rows, right=(1, 2, 3))


def start() -> str:
    """The start of both sides."""
    users, items = fixed.start(PARAMETERS, RATINGS.n_users, RATINGS.n_items)
    return _side(RATINGS.users + RATINGS.items, users + items)


def counterparts() -> str:
    """The counterparts that the row's half-step reads, and the residuals."""
    row = followed()
    rows = [
        [
            RATINGS.items[j],
            *(_both(word, F) for word in other),
            _both(target, PARAMETERS.rating_frac_bits),
            _both(residual, 2 * F),
        ]
        for j, other, target, residual in zip(
            row.counterparts, row.others, row.targets, row.residuals, strict=True
        )
    ]
    headings = ["rated", *COORDINATES, "$\\rho_p$", "$e_p$"]
    return table(headings, rows, right=range(1, len(headings)))


def steps() -> str:
    """q2, curvature and steps, as formulas with the numbers in them."""
    row = followed()
    step, c0 = row.step, PARAMETERS.damping
    squares = " + ".join(f"({_tex(y)})^2" for other in row.others for y in other[:-1])
    curvature = fixed.curvature(step.count, step.squares, PARAMETERS)
    shift = 2 * F - G + PARAMETERS.curvature_shift
    of_bias = step.count << (G - min(PARAMETERS.curvature_shift, 0))
    assert step.bias is not None, "the example has biases"
    return "\n\n".join(
        f"$$\n{formula}\n$$"
        for formula in (
            rf"q_2 = {squares} = {_tex(step.squares)}",
            rf"\lfloor {_tex(step.squares)} / 2^{{{shift}}} \rfloor = {_tex(curvature)}",
            rf"H = \lfloor 2^{{{Q + G}}} / ({_tex(curvature)} + {c0 << G}) \rfloor"
            rf" = {_tex(step.factors)}",
            rf"H_\mathrm{{bias}} = \lfloor 2^{{{Q + G}}} / ({of_bias} + {c0 << G}) \rfloor"
            rf" = {_tex(step.bias)}",
            rf"\tau = {_tex(step.tau)}",
        )
    )


def step_numbers() -> str:
    """The two steps and the threshold at their real scale."""
    step = followed().step
    assert step.bias is not None, "the example has biases"
    return (
        f"{_real(step.factors, Q)} for the factors, {_real(step.bias, Q)} for the bias, and a "
        f"threshold of {_real(step.tau, F)}"
    )


def one_step() -> str:
    """One row from x to the new x, a line a coordinate."""
    row = followed()
    columns = (
        (row.before, F),
        (row.steps, Q),
        (row.gradient, 3 * F),
        (row.z, F),
        (row.proxed, F),
        (row.after, F),
    )
    rows = [
        [name, *(_both(values[k], scale) for values, scale in columns)]
        for k, name in enumerate(COORDINATES)
    ]
    headings = ["coordinate", "x", "H", "G", "Z", "after the prox", "new x"]
    return table(headings, rows, right=range(1, len(headings)))


def one_z() -> str:
    """Z of the second factor, with all its numbers."""
    row, scale = followed(), 2 * F + Q
    x, h, g, z = row.before[1], row.steps[1], row.gradient[1], row.z[1]
    return (
        "$$\n"
        rf"Z = \left\lfloor \frac{{{_tex(x)} \cdot 2^{{{scale}}} - {_tex(h)} \cdot ({_tex(g)})"
        rf" + 2^{{{scale - 1}}}}}{{2^{{{scale}}}}} \right\rfloor = {_tex(z)}"
        "\n$$\n"
    )


def new_users() -> str:
    """U after the first half-step."""
    return _side(RATINGS.users, states()[0].users)


def new_items() -> str:
    """V after the first iteration."""
    return _side(RATINGS.items, states()[1].items)


def result() -> str:
    """V after the last iteration: the output."""
    return _side(RATINGS.items, states()[-1].items)


def published() -> str:
    """The output as it is published."""
    return f"```json\n{dumps(profiles())}```\n"


def distance() -> str:
    """The largest distance from F_real, as a bound."""
    return _distance(PARAMETERS)


def distance_damped() -> str:
    """The same with the default damping."""
    damping = Parameters().damping
    return (
        f"{_distance(replace(PARAMETERS, damping=damping))} with the default damping of {damping}"
    )


def _distance(params: Parameters) -> str:
    enclosure = certified.train(RATINGS, params)
    largest = certified.distance(fixed.train(RATINGS, params), enclosure).largest
    return f"{float(largest):.1e}, or {float(largest) * 2**F:.1f} units of the last bit"


def own_ratings() -> dict[int, Fraction]:
    """The followed user's own ratings by item row."""
    return {j: Fraction(value) for j, value in enumerate(STARS[USER].tolist()) if value == value}


def profile() -> str:
    """The followed user's profile, which the user computes alone."""
    found = ridge.profile(own_ratings(), profiles())
    values = [*found.factors, found.bias]
    rows = [
        [name, _fraction(value), f"{float(value):.4f}"]
        for name, value in zip(COORDINATES, values, strict=True)
    ]
    return table(["profile", "exactly", "about"], rows, right=(2,))


def predictions() -> str:
    """The followed user's predictions for all items."""
    found = ridge.profile(own_ratings(), profiles())
    known = own_ratings()
    rows = [
        [
            item,
            f"{float(known[j]):g}" if j in known else "",
            f"{float(ridge.predict(found, profiles(), j)):.4f}",
        ]
        for j, item in enumerate(RATINGS.items)
    ]
    return table(["item", "own rating", "prediction"], rows, right=(1, 2))


def _side(ids: Sequence[str], rows: Matrix) -> str:
    lines = [[name, *(_both(word, F) for word in row)] for name, row in zip(ids, rows, strict=True)]
    return table(["row", *COORDINATES], lines, right=range(1, 1 + len(COORDINATES)))


def _both(word: int, scale: int) -> str:
    """A word, and below it the number that it stands for."""
    return f"{word:,}<br><small>{_real(word, scale)}</small>"


def _real(word: int, scale: int) -> str:
    return f"{word / 2**scale:.4f}"


def _tex(value: int) -> str:
    return f"{value:,}".replace(",", r"\,")


def _fraction(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{value.numerator} / {value.denominator}"
