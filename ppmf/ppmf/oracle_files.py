# SPDX-License-Identifier: Apache-2.0
"""Files of F_real: exact rationals, and rigorous enclosures as decimals.

The format "ppmf-item-exact/1" has `factors` (m x rank) and `bias` (m, or null) as strings "p/q" or
"p". The format "ppmf-item-enclosure/1" has the same shapes with pairs ["midpoint", "radius"] of
decimal strings: the true number lies within radius of midpoint, both being exact decimals.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from flint import fmpq

from ppmf import run_report
from ppmf_reference.certified import Enclosure
from ppmf_spec.parameters import Parameters

_MIN_PLACES = 20
_GUARD_PLACES = 3
"""The decimal places after those of the largest radius, so that rounding adds little to a ball."""


def write_exact(
    path: Path, items: tuple[str, ...], rows: list[list[fmpq]], params: Parameters
) -> None:
    """Write V as rationals; rows (m, row_rank)."""
    text = [[str(number) for number in row] for row in rows]
    run_report.write_json(
        path,
        {
            "format": "ppmf-item-exact/1",
            "items": items,
            "factors": [row[: params.rank] for row in text],
            "bias": [row[params.rank] for row in text] if params.bias else None,
            "parameters": params.as_dict(),
        },
    )


def write_enclosure(path: Path, enclosure: Enclosure, params: Parameters) -> None:
    """Write the balls around V, rounded outwards to decimals."""
    places = decimal_places(enclosure.radius)
    balls = [decimal_ball(low, high, places) for low, high in enclosure.endpoints()]
    width = params.row_rank
    rows = [balls[at : at + width] for at in range(0, len(balls), width)]
    run_report.write_json(
        path,
        {
            "format": "ppmf-item-enclosure/1",
            "largest_radius": max((radius for _, radius in balls), key=Fraction),
            "undecided": [
                {"iteration": at.iteration, "side": at.side, "row": at.row, "factor": at.coordinate}
                for at in enclosure.undecided
            ],
            "items": enclosure.items,
            "factors": [row[: params.rank] for row in rows],
            "bias": [row[params.rank] for row in rows] if params.bias else None,
            "parameters": params.as_dict(),
        },
    )


def decimal_places(radius: Fraction) -> int:
    """The number of decimal places with which balls of this radius are written."""
    places = 0
    while radius and radius * 10**places < 1:
        places += 1
    return max(_MIN_PLACES, places + _GUARD_PLACES)


def decimal_ball(low: Fraction, high: Fraction, places: int) -> tuple[str, str]:
    """(midpoint, radius) as decimals whose ball contains [low, high]."""
    scale = 10**places
    middle = round((low + high) / 2 * scale)
    reach = max(high * scale - middle, middle - low * scale)
    radius = -(-reach.numerator // reach.denominator)
    return fixed_point(middle, places), fixed_point(radius, places)


def fixed_point(scaled: int, places: int) -> str:
    """The decimal scaled / 10^places, with all its places."""
    digits = str(abs(scaled)).rjust(places + 1, "0")
    return f"{'-' if scaled < 0 else ''}{digits[:-places]}.{digits[-places:]}"
