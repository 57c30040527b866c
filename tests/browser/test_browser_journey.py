# SPDX-License-Identifier: Apache-2.0
"""A user's whole way through the page with two real servers, from the invitation to V, twice."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from ppmf.pair import Pair
from ppmf_reference import fixed, ridge
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.session import Session
from ppmf_service.states import State
from ppmf_service.storage import opened
from ppmf_spec import profiles
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, canonical_order
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.browser.conftest import PATIENCE, PHONE, Devices
from tests.browser.page_servers import SUITE, page_link, titles_of
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.traffic import Allowed
from tests.browser.users_page import UsersPage

PARAMS = Parameters(rank=2, iterations=1)
OTHERS = 3
DONE = (State.FINISHED,)


class Trial:
    """Both servers with a session whose first user is the person at the page."""

    def __init__(self, folder: Path, titles: Mapping[str, str]) -> None:
        self.pair = Pair(folder)
        self.pair.make()
        self.users = self.pair.enrol(1 + OTHERS)
        self.items = canonical_order(titles)
        self.titles = titles
        self.pair.write_titles(titles)
        self.invitation = self.pair.invitation(self.users[0])
        self.sessions: list[Session] = []

    def agree(self) -> bytes:
        """A new session that takes uploads; its id."""
        proposed = self.pair.propose(PARAMS, self.users, self.items, SUITE)
        key = self.pair.accept(proposed.proposed)
        self.pair.until_state(proposed.proposed, (State.OPEN,), lambda _: None)
        with opened(self.pair.config(RECSYS)) as storage:
            self.sessions.append(storage.sessions.signed_session(key).session)
        return key

    def ratings(self, mine: Mapping[str, str]) -> Ratings:
        """What all users rated, the person at the page and the others."""
        generator = np.random.default_rng(5)
        offset = float(PARAMS.rating_offset)
        table = {
            (0, self.items.index(item)): round((float(stars) - offset) * 2)
            for item, stars in mine.items()
        }
        for user in range(1, 1 + OTHERS):
            for item in generator.choice(len(self.items), 10, replace=False).tolist():
                table[user, item] = int(generator.integers(-5, 5))
        pairs = sorted(table)
        users, items = (np.array([pair[at] for pair in pairs]) for at in (0, 1))
        return Ratings(
            self.users, self.items, users, items, np.array([table[pair] for pair in pairs])
        )

    def others_upload(self, key: bytes, everybody: Ratings) -> None:
        """The others upload with the program, as those do who have no browser."""
        self.pair.play(key, list(user_rows(everybody))[1:])

    def close(self, key: bytes) -> int:
        """RecSys' operator closes the intake; how many users are present."""
        with opened(self.pair.config(RECSYS)) as storage:
            return storage.uploads.freeze(key, because="closed by the operator")

    def confirm(self, key: bytes) -> None:
        """CSP's operator lets the second training of the catalogue begin, once it is shown who
        would take part.
        """
        end = time.monotonic() + PATIENCE
        with opened(self.pair.config(CSP)) as storage:
            while (shown := storage.sessions.get(key).shown) is None:
                assert time.monotonic() < end, "CSP does not say who would take part"
                time.sleep(0.05)
            storage.sessions.confirm(key, shown)

    def published(self, key: bytes) -> ItemProfiles:
        """V, as RecSys published it."""
        return profiles.read(self.pair.config(RECSYS).profiles_file(key))

    def row(self, role: Role, key: bytes) -> State:
        with opened(self.pair.config(role)) as storage:
            state: State = storage.sessions.get(key).state
            return state


def half_up(value: Fraction) -> int:
    """The nearest integer, the larger one of two."""
    return math.floor(value + Fraction(1, 2))


def recommended(found: ItemProfiles, mine: Mapping[str, str], count: int) -> list[tuple[str, str]]:
    """What the page has to show to who rated that, by the exact ridge of the oracle."""
    rated = {found.items.index(item): Fraction(stars) for item, stars in mine.items()}
    user = ridge.profile(rated, found)
    return [
        (found.items[one.row], f"{half_up(100 * ridge.clip(one.rating, found)) / 100:.2f}")
        for one in ridge.top_n(user, found, rated, count)
    ]


def check_recommendations(page: UsersPage, found: ItemProfiles, mine: Mapping[str, str]) -> None:
    page.view("recommendations")
    shown = [(item, f"{value:.2f}") for item, value in page.recommended()]
    assert shown == recommended(found, mine, len(shown))


@pytest.mark.req("PPMF-API-017", "PPMF-API-018")
def test_a_user_takes_part_twice_and_gets_recommendations_without_any_server(
    tmp_path: Path, proxy: RecordingProxy, devices: Devices
) -> None:
    titles = titles_of(30)
    trial = Trial(tmp_path / "pair", titles)
    to_recsys, to_csp = (
        f"{trial.invitation.recsys.recsys_url}/#{half.text()}"
        for half in (trial.invitation.recsys, trial.invitation.csp)
    )
    device = devices.device()
    page = devices.tab(device)
    with trial.pair.running():
        key = trial.agree()

        # the invitation, as two links; the secrets leave the address bar at once
        page.open(to_recsys, "start")
        expect(page.by("half-waiting")).to_be_visible()
        assert "#" not in page.tab.url
        page.tab.goto("about:blank")
        page.open(to_csp)
        assert "#" not in page.tab.url
        expect(page.by("trial")).to_be_visible()
        page.phase("open")

        # search, rate, send
        page.search("orchard")
        item = page.by("items").locator("li").first.get_attribute("data-item")
        assert item is not None
        assert "Orchard" in titles[item]
        page.rate(item, "4.5")
        page.search("")
        page.rate("1", "2")
        page.rated(2)
        page.send()

        # replace, withdraw, send again
        page.rate("10", "5")
        page.sent("changed")
        page.send()
        page.by("withdraw").click()
        page.sent("withdrawn")
        page.item("1").get_by_test_id("clear").click()
        page.rated(2)
        page.send()
        mine = {item: "4.5", "10": "5"}
        serials = [one.query for one in proxy.asked("/uploads/0", "DELETE")]
        assert serials == ["serial=3"]
        assert len({one.body for one in proxy.asked("/uploads/0", "PUT")}) == 3

        # progress
        everybody = trial.ratings(mine)
        trial.others_upload(key, everybody)
        assert trial.close(key) == 1 + OTHERS
        page.check_now()
        expect(page.by("phase")).not_to_have_attribute("data-phase", "open")
        page.view("rate")
        expect(page.by("send")).to_be_hidden()
        trial.pair.until_state(key, DONE, lambda _: None)
        found = trial.published(key)
        assert found == fixed.train(everybody, PARAMS)

    # servers that start again show the newest status at once
    with trial.pair.running():
        page.check_now()
        page.phase("finished")
        check_recommendations(page, found, mine)
        exported = page.export(tmp_path / "mine.json")

    # no server runs: the page still opens, and recommends
    page.tab.goto(trial.invitation.recsys.recsys_url)
    page.until("ready")
    check_recommendations(page, found, mine)
    similar = page.by("recommendations").get_by_test_id("similar").first
    similar.click()
    expect(page.by("similar-items").first.locator("li").first).to_be_visible()

    # another device gets the ratings from the file; a new session is offered on the first
    with trial.pair.running():
        phone = devices.tab(size=PHONE)
        again = trial.agree()
        phone.open(page_link(trial.invitation))
        phone.view("data")
        phone.by("import-file").set_input_files(exported)
        phone.noticed("2")
        phone.view("rate")
        phone.rated(2)
        page.open(trial.invitation.recsys.recsys_url)
        page.view("rate")
        expect(page.by("new-session")).to_be_visible()
        page.by("send-anew").click()
        page.sent("sent")
        trial.others_upload(again, everybody)
        trial.close(again)
        trial.confirm(again)
        trial.pair.until_state(again, DONE, lambda _: None)
        assert trial.published(again) == fixed.train(everybody, PARAMS)

        # erased, nothing of it is left
        page.erase()
        left = page.stored()
        assert not left["rows"]
        assert not left["local"] + left["session"]
        assert left["cookies"] == ""
        page.open(trial.invitation.recsys.recsys_url, "start")

    allowed = Allowed(trial.invitation, trial.sessions, ["orchard", titles[item], titles["10"]])
    assert allowed.breaches(proxy.exchanges) == []


def test_as_many_items_as_movielens_has(
    tmp_path: Path, proxy: RecordingProxy, devices: Devices
) -> None:
    trial = Trial(tmp_path / "pair", titles_of(1_682))
    page = devices.tab(size=PHONE)
    generator = np.random.default_rng(3)
    chosen = [trial.items[row] for row in generator.choice(1_682, 100, replace=False).tolist()]
    mine = {item: str(generator.integers(1, 11) / 2) for item in chosen}
    mine = {item: stars.removesuffix(".0") for item, stars in mine.items()}
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["item,rating", *map(",".join, mine.items())]))
    with trial.pair.running():
        key = trial.agree()
        page.open(page_link(trial.invitation))
        page.view("data")
        page.by("import-file").set_input_files(file)
        page.noticed("100")
        page.view("rate")
        page.send()
        everybody = trial.ratings(mine)
        trial.others_upload(key, everybody)
        trial.close(key)
        trial.pair.until_state(key, DONE, lambda _: None)
        found = trial.published(key)
        assert found == fixed.train(everybody, PARAMS)
        page.check_now()
        page.phase("finished")
        check_recommendations(page, found, mine)
    allowed = Allowed(trial.invitation, trial.sessions)
    assert allowed.breaches(proxy.exchanges) == []
