# SPDX-License-Identifier: Apache-2.0
"""The parties of a run, and the two sides of the ratings (chapters 1 and 4).

Both are text on the wire and in files, so both are enumerations of strings.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A party: all users together, RecSys, or CSP."""

    USERS = "users"
    RECSYS = "recsys"
    CSP = "csp"

    @property
    def peer(self) -> Role:
        """The other server; ValueError for the users, who are none."""
        if self is Role.USERS:
            raise ValueError("the users are no server, and have no peer")
        return Role.CSP if self is Role.RECSYS else Role.RECSYS


class Side(StrEnum):
    """A side of the factorisation: its rows are the users, or the items."""

    USERS = "users"
    ITEMS = "items"

    @property
    def other(self) -> Side:
        """The side that is fixed while this one is updated."""
        return Side.ITEMS if self is Side.USERS else Side.USERS


USERS, RECSYS, CSP = Role.USERS, Role.RECSYS, Role.CSP

SIDES = (Side.USERS, Side.ITEMS)
"""Both sides, in the order in which an iteration updates them, users first."""
