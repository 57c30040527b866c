# SPDX-License-Identifier: Apache-2.0
"""What the two proxes minimise over p, in z3 (spec, chapter 2, the end of the inner steps).

Z is the point that the prox is given, `one` the number 1 at the scale of the others.
"""

from __future__ import annotations

import z3

from tests.support.formal import absolute


def elastic_net(p: z3.ArithRef, Z: z3.ArithRef, tau: z3.ArithRef) -> z3.ArithRef:
    """(p - Z)^2 / 2 + tau |p|."""
    return (p - Z) * (p - Z) / 2 + tau * absolute(p)


def binary(
    p: z3.ArithRef, Z: z3.ArithRef, tau: z3.ArithRef, theta: z3.ArithRef, one: int = 1
) -> z3.ArithRef:
    """(p - Z)^2 / 2 + min{tau |p|, tau |p - 1| + theta (1 - 2p)}."""
    zero = tau * absolute(p)
    other = tau * absolute(p - one) + theta * (one - 2 * p)
    return (p - Z) * (p - Z) / 2 + z3.If(zero <= other, zero, other)
