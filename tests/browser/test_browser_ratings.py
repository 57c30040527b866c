# SPDX-License-Identifier: Apache-2.0
"""Day by day: rating, searching, files, two tabs, two devices, and what is left after erasing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ppmf_service.states import State
from tests.browser.conftest import Devices
from tests.browser.page_servers import PageServers, titles_of
from tests.browser.recording_proxy import CUT_OFF, RecordingProxy
from tests.browser.users_page import UsersPage


def test_what_is_searched_is_found_by_any_part_of_the_title(
    servers: PageServers, page: UsersPage
) -> None:
    titles = {**titles_of(100), "200": "Äpfel & Straße (2001)", "201": "Crème brûlée"}
    servers.session(titles)
    page.open(servers.link())
    shown = page.by("items").locator("li")
    expect(shown).to_have_count(20)
    page.by("more").click()
    expect(shown).to_have_count(40)
    for words, due in (
        ("STRASSE", "200"),
        ("apfel", "200"),
        ("creme brulee", "201"),
        ("orchard 9", "9"),
        ("9 orchard", "9"),
    ):
        page.search(words)
        expect(page.item(due)).to_be_visible()
        expect(page.item(due)).to_contain_text(titles[due])
    page.search("orchard 9")
    expect(shown.first).to_contain_text(titles["9"])  # others have a year with this digit
    page.search("(2001)")
    expect(page.by("found")).to_contain_text(re.compile(r"\d"))


def test_ratings_are_kept_when_the_tab_is_closed(servers: PageServers, devices: Devices) -> None:
    servers.session()
    device = devices.device()
    page = devices.tab(device)
    page.open(servers.link())
    page.rate("3", "4.5")
    page.rate("4", "1")
    page.item("4").get_by_test_id("clear").click()
    page.rated(1)
    page.tab.close()
    page = devices.tab(device)
    page.open(servers.recsys)
    page.rated(1)
    expect(page.item("3").locator("input[value='4.5']")).to_be_checked()
    expect(page.item("4").locator("input:checked")).to_have_count(0)


def test_ratings_go_from_device_to_device_in_a_file(
    servers: PageServers, devices: Devices, tmp_path: Path
) -> None:
    servers.session()
    page = devices.tab()
    page.open(servers.link())
    for item, stars in (("3", "4.5"), ("4", "1"), ("17", "0.5")):
        page.rate(item, stars)
    exported = page.export(tmp_path / "mine.json")
    content = exported.read_text()
    assert servers.invitation().recsys.token not in content
    other = devices.tab()
    other.open(servers.link())
    other.rate("5", "2")
    other.view("data")
    other.by("import-file").set_input_files(exported)
    other.noticed("3")
    other.view("rate")
    other.rated(4)
    expect(other.item("17").locator("input[value='0.5']")).to_be_checked()


FILES_OF_SUBMIT = {
    "as MovieLens": ("userId,movieId,rating\nme,3,4.5\nme,4,2\n", 2),
    "two columns": ("item,rating\n6,5\n", 3),
    "semicolons": ("user;item;rating\nme;7;4.5\n", 4),
    "tabs": ("8\t4.5\n9\t1\n", 6),
}
"""Files that `ppmf submit` reads, and how many ratings there are after each."""

OTHER_FILES = {
    "empty": b"",
    "picture": b"\x89PNG\r\n\x1a\n",
    "letter": b"a letter to the editor",
    "off the scale": b"item,rating\n3,7\n",
    "too fine": b"item,rating\n3,4.25\n",
    "a word": b"item,rating\n3,good\n",
    "twice": b"item,rating\n3,1\n3,2\n",
    "JSON": b'{"format": "something else"}',
    "deep JSON": b"[" * 100_000,
    "two users": b"user,item,rating\na,3,1\nb,4,1\n",
}


def test_files_of_ppmf_submit_are_imported_and_others_change_nothing(
    servers: PageServers, page: UsersPage, tmp_path: Path
) -> None:
    servers.session()
    file = tmp_path / "mine.csv"
    page.open(servers.link())
    for name, (content, count) in FILES_OF_SUBMIT.items():
        file.write_text(content)
        page.view("data")
        page.by("import-file").set_input_files(file)
        page.noticed(f"Imported {content.count(chr(10)) - (name != 'tabs')}")
        page.view("rate")
        page.rated(count)
    page.view("data")
    for name, wrong in OTHER_FILES.items():
        file.write_bytes(wrong)
        page.by("import-file").set_input_files(file)
        assert len(page.refused("")) < 250, name
    page.view("rate")
    page.rated(6)


@pytest.mark.req("PPMF-API-018")
def test_two_tabs_never_use_a_serial_for_two_uploads(
    servers: PageServers, devices: Devices, proxy: RecordingProxy
) -> None:
    servers.session()
    device = devices.device()
    first, second = devices.tab(device), devices.tab(device)
    first.open(servers.link())
    second.open(servers.recsys)
    first.rate("3", "4.5")
    second.rated(1)
    first.by("send").click(no_wait_after=True)
    second.by("send").click(no_wait_after=True)
    for page in (first, second):
        page.sent("sent")
    second.rate("4", "1")
    first.rated(2)
    first.sent("changed")
    second.by("send").click(no_wait_after=True)
    first.by("send").click(no_wait_after=True)
    for page in (first, second):
        page.sent("sent")
    answers = [one.answer.status for one in proxy.asked("/uploads/0", "PUT") if one.answer]
    assert set(answers) <= {200, 201}
    bodies = {one.body for one in proxy.asked("/uploads/0", "PUT")}
    receipts = [
        (content["serial"], content["digest"])
        for one in proxy.asked("/uploads/0", "PUT")
        if one.answer is not None
        for content in [json.loads(one.answer.body)]
    ]
    assert len(set(receipts)) == len({serial for serial, _ in receipts}) == len(bodies) == 2


def test_another_device_that_sent_something_newer_is_told(
    servers: PageServers, devices: Devices
) -> None:
    servers.session()
    first, second = devices.tab(), devices.tab()
    for page in (first, second):
        page.open(servers.link())
    first.rate("3", "4.5")
    first.send()
    second.rate("4", "2")
    second.send()  # it asks for the newest serial before
    first.rate("5", "1")
    first.send()
    uploads, session = servers.pair.recsys.uploads, servers.pair.recsys.sessions.all()[-1]
    assert session.id is not None
    assert uploads.receipt(session.id, 0).serial == 3


def test_erasing_leaves_nothing_in_any_tab(servers: PageServers, devices: Devices) -> None:
    session = servers.session()
    servers.publish(session)
    device = devices.device()
    page, other = devices.tab(device), devices.tab(device)
    page.open(servers.link())
    other.open(servers.recsys)
    page.view("recommendations")
    page.idle()
    kept = page.stored()
    assert kept["rows"]
    page.erase()
    left = page.stored()
    assert left["rows"] == {}
    assert (left["local"], left["session"], left["cookies"]) == ([], [], "")
    assert not [url for url in left["caches"] if "/v1/" in url]
    other.until("erased")
    page.open(servers.recsys, "start")


def test_an_intake_that_closes_meanwhile_is_told(servers: PageServers, page: UsersPage) -> None:
    session = servers.session()
    page.open(servers.link())
    page.rate("3", "4.5")
    servers.move(session, State.CLOSED)
    page.by("send").click()
    page.refused("closed")
    page.rated(1)
    page.sent("unsent")


def test_a_server_that_cannot_be_reached_is_told_and_loses_nothing(
    servers: PageServers, page: UsersPage, proxy: RecordingProxy
) -> None:
    servers.session()
    page.open(servers.link())
    page.rate("3", "4.5")
    page.tab.clock.install()
    with proxy.changed(lambda asked: CUT_OFF):
        page.by("send").click()
        for _ in range(100):
            page.tab.clock.run_for(1000)
            if page.by("error").is_visible():
                break
        page.refused("reached")
        page.rated(1)
    page.tab.clock.resume()
    page.send()


def test_an_invitation_in_a_file_is_opened(
    servers: PageServers, page: UsersPage, tmp_path: Path
) -> None:
    servers.session()
    file = tmp_path / "u1.txt"
    file.write_text(servers.invitation().text())
    page.open(servers.recsys, "start")
    page.by("invitation-file").set_input_files(file)
    page.until("ready")
    page.phase("open")


def test_what_is_no_invitation_is_refused(servers: PageServers, page: UsersPage) -> None:
    servers.session()
    page.open(servers.recsys, "start")
    for text in ("", "hello", "https://example.org/#ppmf=2&from=recsys&user=u1", "#" * 10_000):
        page.by("invitation-text").fill(text)
        page.by("invitation-add").click()
        page.refused("")
        page.until("start")


_RECSYS_HALF = """(user) => new Promise((resolve) => {
  indexedDB.open("ppmf").onsuccess = ({ target: { result } }) => {
    result.transaction("people").objectStore("people").get(user).onsuccess = (event) => {
      result.close();
      resolve(event.target.result.recsys);
    };
  };
})"""


@pytest.mark.req("PPMF-PAGE-010")
def test_a_link_of_another_page_replaces_no_half_without_a_word(
    servers: PageServers, page: UsersPage
) -> None:
    servers.session()
    one = servers.invitation("u1")
    page.open(servers.link("u1"))
    half = replace(one.recsys, token="A" * 43).text()

    def kept() -> str:
        return str(page.tab.evaluate(_RECSYS_HALF, "u1"))

    for agrees in (False, True):
        page.tab.goto(f"{servers.recsys}/#{half}")
        expect(page.by("replace-dialog")).to_be_visible()
        assert kept() == one.recsys.text()
        page.by("replace-confirm" if agrees else "replace-cancel").click()
        page.refused("does not know this invitation" if agrees else "was not changed")
        assert kept() == (half if agrees else one.recsys.text())


@pytest.mark.req("PPMF-PAGE-011")
def test_a_link_of_another_page_goes_over_to_no_other_user_without_a_word(
    servers: PageServers, page: UsersPage
) -> None:
    """Neither with both halves nor with one, neither in this page nor when it is opened by it."""
    servers.session()
    page.open(servers.link("u1"))
    half = servers.invitation("u2").recsys.text()
    for link in (f"{servers.recsys}/#{half}", servers.link("u2")):
        page.tab.goto(link)
        expect(page.by("switch-dialog")).to_be_visible()
        expect(page.by("switch-dialog")).to_contain_text("u2")
        page.by("switch-cancel").click()
        page.refused("was not opened")
        page.open(servers.recsys)  # it is still the first one
        expect(page.tab.locator("#other-people")).not_to_contain_text("u2")
    page.tab.goto(servers.link("u2"))
    page.by("switch-confirm").click()
    page.until("ready")
    expect(page.tab.locator("#other-people")).to_contain_text("u1")


def test_halves_of_two_users_are_not_joined(servers: PageServers, page: UsersPage) -> None:
    servers.session()
    one, other = servers.invitation("u1"), servers.invitation("u2")
    page.open(servers.recsys, "start")
    page.by("invitation-text").fill(f"{one.recsys.text()}\n{other.csp.text()}")
    page.by("invitation-add").click()
    expect(page.tab.locator("html")).to_have_attribute("data-state", "start")
    page.idle()
    assert page.by("error").is_visible() or page.by("half-waiting").is_visible()


@pytest.mark.req("PPMF-API-023")
def test_nothing_is_sent_to_a_trial_before_the_user_says_that_they_know(
    servers: PageServers, page: UsersPage, proxy: RecordingProxy
) -> None:
    servers.session()
    page.tab.goto(servers.link())
    page.until("ready")
    page.rate("3", "4.5")
    expect(page.by("trial-known")).to_be_visible()
    if page.by("send").is_enabled():
        page.by("send").click()
        page.idle()
    assert proxy.asked("/uploads/0", "PUT") == []
    page.know_of_trial()
    page.send()
    page.open(servers.recsys)
    expect(page.by("trial-known")).to_be_hidden()
