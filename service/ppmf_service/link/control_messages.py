# SPDX-License-Identifier: GPL-3.0-or-later
"""The control messages of a link, as they are sent and received on its stream 0."""

from __future__ import annotations

from ppmf_secure.link.control import MOST_BYTES, Control, decode, encode
from ppmf_secure.link.messages import Messages
from ppmf_service.link.link import Link
from ppmf_spec.errors import EncodingError


class ControlMessages:
    """The control messages of a link, which are those of its generation."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._messages: Messages | None = None
        self.generation = -1
        """The generation of the link whose messages these are."""

    @property
    def waiting(self) -> bool:
        """Whether something has come."""
        return self._link.control.available > 0

    def send(self, message: Control) -> None:
        """Send a message. It is lost if the peer starts anew before it has read it."""
        data = encode(message)
        self._current().send([data[:0], data])

    def receive(self) -> Control | None:
        """The next message, if one is here.

        Raises EncodingError for one that is malformed. If it is longer than any, what comes after
        it cannot be found, and the link begins anew.
        """
        try:
            data = self._current().receive(MOST_BYTES)
        except EncodingError:
            self._link.renew()
            raise
        return None if data is None else decode(data)

    def _current(self) -> Messages:
        control, generation = self._link.control_now()
        if self._messages is None or self._messages.stream is not control:
            self._messages, self.generation = Messages(self._link, control), generation
        return self._messages
