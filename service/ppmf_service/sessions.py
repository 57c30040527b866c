# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of a server, from proposal to tombstone (chapter 8, "Sessions").

A session is known by 32 bytes: by the digest of its proposal from the beginning, and by its id once
CSP has accepted it. Every method takes either. What a method does is in the database before it
returns, and every step may be repeated: an answer that was lost is asked for again.
"""

from __future__ import annotations

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import read_rows
from ppmf_secure.session.kept_files import KEY_BYTES
from ppmf_secure.session.proposals import check_receipt
from ppmf_service.agreement import Agreement
from ppmf_service.session_rows import MOST_ERROR, SessionRow, short
from ppmf_service.states import State
from ppmf_service.trained_before import TrainedBefore
from ppmf_spec.errors import PpmfError, StateError


class Sessions(Agreement, TrainedBefore):
    """The table of sessions: its rows, how each comes about, the steps of its states, and what was
    trained before. All methods raise UnknownSessionError for a key of none.
    """

    # -- states ------------------------------------------------------------------------------------

    def move(self, key: bytes, state: State, *, because: str = "") -> SessionRow:
        """Go to a state, and note when and why; to be there already is no change.

        Raises StateError for a state that may not follow (PPMF-SRV-004).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.state is not state:
                self._move(connection, row, state, because)
            return self.get(key)

    def progress(self, key: bytes, phase: str, done: int, total: int) -> None:
        """Note how far a training is, in half-steps."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), phase=phase, done=done, total=total)

    def began(self, key: bytes, epoch: int) -> None:
        """Note the number of the epoch that begins."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), epoch=epoch)

    def clear_error(self, key: bytes) -> None:
        """Note that the last error does not matter any more."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), error_kind=None, error_text=None)

    def note_told(self, key: bytes) -> None:
        """Note that the peer knows how a session has ended."""
        with self._database.transaction() as connection:
            self._set(connection, self.get(key), told=1)

    def fail(self, key: bytes, error: PpmfError) -> SessionRow:
        """End a session with an error."""
        with self._database.transaction():
            self.note_error(key, error)
            return self.move(key, State.FAILED, because=f"{error.kind}: {error}"[:MOST_ERROR])

    # -- what a session has ------------------------------------------------------------------------

    def tag_key(self, key: bytes, coins: Coins) -> bytes:
        """The key of the tags of a session's files, 32 bytes, which is drawn when it is first asked
        for. Raises StateError if it was erased (PPMF-RES-008).
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            found = connection.execute(
                "SELECT tag_key FROM sessions WHERE number = ?", (row.number,)
            ).fetchone()[0]
            if found is None and row.erased is None:
                self._set(connection, row, tag_key=coins.bytes(KEY_BYTES))
        return self._part(key, "tag_key")

    def admit(self, key: bytes, admitted: bytes, *, remember: bool = False) -> None:
        """Note the bits of the admission (PPMF-ADM-005).

        remember: whether to keep who these are, as CSP, for later sessions of the same catalogue
        (PPMF-SRV-028). Raises StateError for other bits than before.
        """
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.admitted is not None:
                if row.admitted != admitted:
                    raise StateError(f"session {short(row.key)}: a second admission, another one")
                return
            count = len(read_rows(admitted, row.users, "admission"))
            self._set(connection, row, admitted=admitted, admitted_count=count)
            if remember:
                self._remember(connection, row, admitted)

    def publish(self, key: bytes, profiles_digest: bytes) -> SessionRow:
        """End a session: V is there. profiles_digest: SHA-256 of its file."""
        with self._database.transaction() as connection:
            row = self.get(key)
            if row.profiles_digest not in (None, profiles_digest):
                raise StateError(f"session {short(row.key)}: a second V, another one")
            self._set(connection, row, profiles_digest=profiles_digest)
            return self.move(key, State.FINISHED)

    def receipt(self, key: bytes, profiles_digest: bytes, signature: bytes) -> SessionRow:
        """End a session at CSP: RecSys' receipt, a signature of V's digest, is there.

        Raises StateError for a signature that is not RecSys' (PPMF-SRV-016).
        """
        check_receipt(self.signed_session(key).session, profiles_digest, signature)
        with self._database.transaction() as connection:
            row = self.publish(key, profiles_digest)
            self._set(connection, row, receipt=signature, told=1)
            return self.get(key)
