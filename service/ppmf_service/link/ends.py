# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of a server's program over a stream of the link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ppmf_secure.link.messages import Messages
from ppmf_secure.link.streams import Stream
from ppmf_secure.transport.recorded_ends import Account, RecordedEnds
from ppmf_service.link.link import Link
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

_LONGEST = 1.0
"""The most seconds that are waited for a message before the driver is given its turn."""


class LinkEnds(RecordedEnds):
    """Ends over one stream, which carries the messages of one epoch.

    asked: whether somebody else wants the thread; the ends then do not wait for a message, and the
    driver returns. Over a link that does not wait, it always does.
    """

    def __init__(
        self,
        account: Account,
        link: Link,
        stream: Stream,
        asked: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(account)
        self._link = link
        self._messages = Messages(link, stream)
        self._asked = asked

    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Send a message to the peer. Raises PeerError if the stream is lost."""
        self._messages.send(pieces)

    def get(self, sender: Role, most: int | None, until: int | None) -> Bulk | None:
        """The next message from the peer, None if it did not come within a second.

        Raises PeerError if none will come (PPMF-ERR-005), EncodingError for one of more than `most`
        bytes, before it is read (PPMF-WIR-009).
        """
        if sender is not self.account.party.peer:
            raise PeerError(f"{self.account.party}: no messages of {sender} come here")
        while (found := self._messages.receive(most)) is None:
            if self._asked() or not self._link.wait(_LONGEST, self._messages.stream):
                return None
        return found

    def wait(self, until: int) -> None:
        """Nobody waits here: the driver is asked again."""
