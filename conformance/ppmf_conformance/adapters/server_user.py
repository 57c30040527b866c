# SPDX-License-Identifier: Apache-2.0
"""A user of a running server, by an invitation for trials, for the checks in
`ppmf_conformance.servers`: sessions are read and uploads made by ppmf_secure.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ppmf_conformance.servers.target import SessionFacts
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session import set_up
from ppmf_secure.session.enrolment import consent_key
from ppmf_secure.session.invitations import Invitation, join, read_half
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError

_NOTHING = np.zeros(0, dtype=np.int64)


def read_session(data: bytes) -> SessionFacts:
    """The session of a file, whose signatures are checked. Raises as `set_up.read` does."""
    found = set_up.read(data, "session").session
    return SessionFacts(found.id, found.users, found.proposal.trial, found.closes, found)


class ServerUser:
    """A user who has nothing to hide: their uploads have no ratings, and follow from the token.

    So the last upload of an earlier check can be made again, byte for byte, and nothing is stored.
    """

    def __init__(self, invitation: Invitation) -> None:
        self._invitation = invitation

    @classmethod
    def read(cls, text: str) -> ServerUser:
        """The user of two lines, the halves of an invitation.

        Raises EncodingError unless there are two, and as `read_half` and `join` do.
        """
        lines = text.split()
        if len(lines) != 2:
            raise EncodingError(f"invitation: {len(lines)} lines where its two halves are due")
        return cls(join(*map(read_half, lines)))

    @property
    def user(self) -> str:
        """The pseudonym."""
        return self._invitation.user

    @property
    def token(self) -> str:
        """The token."""
        return self._invitation.recsys.token

    @property
    def urls(self) -> tuple[str, str]:
        """The addresses of RecSys and CSP."""
        return self._invitation.recsys.recsys_url, self._invitation.recsys.csp_url

    def upload(self, session: SessionFacts, serial: int, label: str = "") -> wire.Upload:
        """An upload of this user without ratings: the same one for the same serial and label."""
        whole = session.whole
        assert isinstance(whole, Session)
        known = hashlib.sha256(f"{self.token}/{self._invitation.csp.code.hex()}".encode())
        coins = Coins.seeded(
            f"conformance/api/{known.hexdigest()}/{session.id.hex()}/{serial}/{label}"
        )
        key = consent_key(self._invitation.csp.code)
        return upload(whole, self.user, serial, Row(_NOTHING, _NOTHING), key, coins)
