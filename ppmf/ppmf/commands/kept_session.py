# SPDX-License-Identifier: Apache-2.0
"""The item profiles of the session that a user takes part in, by what `ppmf submit` keeps."""

from __future__ import annotations

from pathlib import Path

from ppmf import console
from ppmf_service import client
from ppmf_service.client import UserClient
from ppmf_service.user_folder import UserFolder
from ppmf_spec import profiles
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.files import write_atomically
from ppmf_spec.profiles import ItemProfiles


def published(folder: Path) -> tuple[ItemProfiles, Path]:
    """The newest item profiles that RecSys published for this user, and the file of the ratings
    that were kept.

    They are fetched once and kept. If there is no answer from the servers, those that were kept
    last are taken. Raises StateError if no invitation is kept, or nothing was published yet.
    """
    kept = UserFolder(folder)
    invitation = kept.invitation()
    if invitation is None:
        raise StateError(f"{folder}: no invitation is kept; --profiles names a file of profiles")
    with client.new_http() as http:
        one = UserClient(invitation, http)
        try:
            session = one.newest("finished").session
        except PeerError as error:
            last = kept.last_profiles()
            if last is None:
                raise
            console.note(f"{error}; the profiles that were kept are taken")
            return profiles.read(last), kept.ratings
        if session.proposal.trial:
            console.warn("these profiles are of a trial, which protected nobody")
        path = kept.profiles(session.id)
        if not path.is_file():
            write_atomically(path, one.profiles(session)[1])
        else:
            path.touch()
    return profiles.read(path), kept.ratings
