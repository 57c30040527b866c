# SPDX-License-Identifier: Apache-2.0
"""Every state of the page that a person can see, for checks and for pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import expect

from ppmf_service.states import State
from tests.browser.page_servers import PageServers, titles_of
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.users_page import UsersPage

NewTab = Callable[[], UsersPage]
Shown = Iterator[tuple[str, UsersPage]]

CHOSEN = (("3", "4.5"), ("4", "2"), ("7", "5"), ("12", "0.5"))
"""Items and stars that a person of the walk gives."""


def every_state(
    servers: PageServers, proxy: RecordingProxy, new_tab: NewTab, folder: Path
) -> Shown:
    """Bring a page from state to state; the name of each, and the page that shows it."""
    yield from beginnings(servers, new_tab)
    yield from intake(servers, new_tab, folder)
    yield from ends(servers, new_tab)


def beginnings(servers: PageServers, new_tab: NewTab) -> Shown:
    """Before a session is open on the page."""
    invitation = servers.invitation()
    page = new_tab()
    page.open(servers.recsys, "start")
    yield "start", page
    page.by("invitation-text").fill("an invitation, perhaps")
    page.by("invitation-add").click()
    expect(page.by("error")).to_be_visible()
    yield "start-refused", page
    page.by("error-close").click()
    page.by("invitation-text").fill(invitation.recsys.text())
    page.by("invitation-add").click()
    expect(page.by("half-waiting")).to_be_visible()
    page.idle()
    yield "start-half", page
    page.by("invitation-text").fill(invitation.csp.text())
    page.by("invitation-add").click()
    page.idle()
    yield "no-session", page

    page = new_tab()
    page.tab.add_init_script("delete String.prototype.isWellFormed")
    page.tab.goto(servers.recsys)
    expect(page.by("too-old")).to_be_visible()
    yield "too-old", page


def intake(servers: PageServers, new_tab: NewTab, folder: Path) -> Shown:
    """From the first look at a session to recommendations."""
    session = servers.session(titles_of(60))
    page = new_tab()
    page.tab.goto(servers.link())
    page.until("ready")
    yield "rate-trial", page
    page.know_of_trial()
    yield "rate", page
    page.search("orchard")
    expect(page.by("found")).to_contain_text("8")
    yield "rate-search", page
    page.search("no such title")
    expect(page.by("items").locator("li")).to_have_count(0)
    yield "rate-nothing-found", page
    page.search("")
    for item, stars in CHOSEN:
        page.rate(item, stars)
    page.rated(len(CHOSEN))
    yield "rate-unsent", page
    page.send()
    yield "rate-sent", page
    page.rate("5", "3")
    page.sent("changed")
    page.by("only-rated").check()
    yield "rate-changed", page
    page.by("withdraw").click()
    page.sent("withdrawn")
    yield "rate-withdrawn", page
    page.by("only-rated").uncheck()
    page.send()
    page.view("recommendations")
    yield "recommendations-none-yet", page
    page.view("session")
    yield "session-open", page
    page.view("data")
    yield "data", page
    page.by("erase").click()
    expect(page.by("erase-dialog")).to_be_visible()
    yield "data-erase", page
    page.by("erase-cancel").click()

    servers.move(session, State.CLOSED)
    page.check_now()
    page.phase("closed")
    yield "session-closed", page
    page.view("rate")
    yield "rate-closed", page
    servers.move(session, State.SETTING_UP, State.TRAINING)
    servers.progress(session, 4, 10)
    page.check_now()
    page.phase("training")
    yield "session-training", page
    servers.publish(session)
    page.check_now()
    page.phase("finished")
    yield "session-finished", page
    page.view("recommendations")
    page.recommended()
    yield "recommendations", page
    page.by("recommendations").get_by_test_id("similar").first.click()
    expect(page.by("recommendations").get_by_test_id("similar-items").first).to_be_visible()
    page.idle()
    yield "recommendations-similar", page
    later = servers.session(titles_of(60), nonce=1)
    page.open(servers.recsys)
    page.view("rate")
    expect(page.by("new-session")).to_be_visible()
    yield "rate-new-session", page
    page.tab.close()
    servers.publish(later)


def ends(servers: PageServers, new_tab: NewTab) -> Shown:
    """Sessions that end without recommendations."""
    for number, state in enumerate((State.FAILED, State.ABANDONED), start=10):
        session = servers.session(titles_of(60), nonce=number)
        page = new_tab()
        page.open(servers.link("u2"))
        page.rate("3", "4.5")
        page.send()
        servers.move(session, state)
        page.check_now()
        page.phase(state)
        yield f"session-{state}", page
