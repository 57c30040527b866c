# SPDX-License-Identifier: Apache-2.0
"""Everybody can use the page: axe-core on every state, the keyboard alone, a small screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import covered, too_wide, violations
from tests.browser.conftest import DARK, LIGHT, PHONE, SCHEMES, SIZES, WIDE, Devices
from tests.browser.page_servers import PageServers, titles_of
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.states import every_state
from tests.browser.users_page import UsersPage


def test_no_state_of_the_page_has_a_violation_at_any_size_light_or_dark(
    servers: PageServers, proxy: RecordingProxy, devices: Devices, tmp_path: Path
) -> None:
    found = []
    for name, page in every_state(servers, proxy, devices.tab, tmp_path):
        for size in SIZES:
            page.tab.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in SCHEMES:
                page.tab.emulate_media(color_scheme=scheme)
                where = f"{name} {size[0]} {scheme}"
                # every rule with each size and with each scheme, and in all four what is of both
                whole = (size, scheme) in ((WIDE, LIGHT), (PHONE, DARK))
                rules = () if whole else ("color-contrast", "target-size")
                found += [f"{where}: {line}" for line in violations(page.tab, rules)]
            if (pixels := too_wide(page.tab)) > 0:
                found.append(f"{name} {size[0]}: {pixels} pixels too wide")
            if (part := covered(page.tab)) > 0.4:
                found.append(f"{name} {size[0]}: {part:.0%} of the screen are covered")
        page.tab.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    assert not found, "\n".join(["", *found])


_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const label = one.labels?.[0];
  const seen = [one, label, one.closest("label"), one.nextElementSibling, one.parentElement];
  const marked = seen.filter(Boolean).some((shown) => {
    const style = getComputedStyle(shown);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    return outlined || style.boxShadow !== "none";
  });
  const box = (label ?? one).getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  const open = [one, label]
    .filter(Boolean)
    .some((shown) => shown.contains(top) || top?.contains(shown));
  return {
    name: one.dataset.testid ?? one.id ?? "",
    tag: one.tagName.toLowerCase(),
    value: one.value ?? "",
    item: one.closest("[data-item]")?.dataset.item ?? "",
    marked,
    open: open && y >= 0 && y <= innerHeight,
  };
}"""


class Keyboard:
    """A person without a mouse; each place where the focus was has to have been seen."""

    def __init__(self, page: UsersPage) -> None:
        self.page = page
        self.unseen: list[str] = []

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.tab.keyboard.press(key)

    def tab_to(self, testid: str, key: str = "Tab", most: int = 80) -> None:
        """Go on until the focus is there."""
        for _ in range(most):
            self.press(key)
            at = self.page.tab.evaluate(_FOCUSED)
            if at is None:
                continue
            if not (at["marked"] and at["open"]):
                self.unseen.append(f"{at['tag']} {at['name']} {at['item']} {at}")
            if at["name"] == testid or (testid == "radio" and at["item"] and at["value"]):
                return
        raise AssertionError(f"the keyboard does not lead to {testid}")


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_the_keyboard_alone_is_enough(
    size: tuple[int, int], servers: PageServers, devices: Devices
) -> None:
    session = servers.session()
    invitation = servers.invitation()
    page = devices.tab(size=size)
    keyboard = Keyboard(page)
    page.open(servers.recsys, "start")
    keyboard.tab_to("invitation-text")
    page.tab.keyboard.insert_text(f"{invitation.recsys.text()}\n{invitation.csp.text()}")
    keyboard.tab_to("invitation-add")
    keyboard.press("Enter")
    page.until("ready")

    keyboard.tab_to("trial-known")
    keyboard.press("Space")
    expect(page.by("trial-known")).to_be_hidden()
    keyboard.tab_to("search")
    page.tab.keyboard.type("orchard")
    keyboard.tab_to("radio")
    keyboard.press("ArrowRight", "ArrowRight")
    page.rated(1)
    keyboard.tab_to("clear")
    keyboard.press("Enter")
    page.rated(0)
    keyboard.tab_to("radio", "Shift+Tab")
    keyboard.press("Space")
    page.rated(1)
    keyboard.tab_to("send")
    keyboard.press("Enter")
    page.sent("sent")
    keyboard.tab_to("withdraw", "Shift+Tab")
    keyboard.press("Space")
    page.sent("withdrawn")
    keyboard.tab_to("send")
    keyboard.press("Enter")
    page.sent("sent")

    servers.publish(session)
    keyboard.tab_to("nav-session", "Shift+Tab")
    keyboard.press("Enter")
    keyboard.tab_to("check-now")
    keyboard.press("Enter")
    page.phase("finished")
    keyboard.tab_to("nav-recommendations", "Shift+Tab")
    keyboard.press("Enter")
    page.recommended()
    keyboard.tab_to("similar")
    keyboard.press("Enter")
    expect(page.by("similar-items").first).to_be_visible()
    keyboard.tab_to("nav-data", "Shift+Tab")
    keyboard.press("Enter")
    keyboard.tab_to("erase")
    keyboard.press("Enter")
    expect(page.by("erase-dialog")).to_be_visible()
    keyboard.press("Escape")
    expect(page.by("erase-dialog")).to_be_hidden()
    expect(page.by("erase")).to_be_focused()
    keyboard.press("Enter")
    keyboard.tab_to("erase-confirm")
    keyboard.press("Enter")
    page.until("erased")
    assert keyboard.unseen == []


def test_what_changes_is_said_to_who_cannot_see_it(servers: PageServers, page: UsersPage) -> None:
    """Live regions say what was found and sent; a refusal is an alert."""
    servers.session()
    page.open(servers.link())
    for testid, role in (("found", "status"), ("notice", "status"), ("sent-state", "status")):
        expect(page.by(testid)).to_have_attribute("role", role)
    expect(page.by("error")).to_have_attribute("role", "alert")
    page.search("orchard")
    expect(page.tab.get_by_role("status").filter(has_text="8")).to_be_visible()
    group = page.by("items").locator("li").first.get_by_role("group")
    expect(group).to_have_accessible_name(expect_title(page))
    radio = group.get_by_role("radio").first
    assert radio.evaluate("one => one.labels[0]?.innerText || one.ariaLabel")


def expect_title(page: UsersPage) -> str:
    """The title of the first item that is shown."""
    shown = page.by("items").locator("li").first
    item = shown.get_attribute("data-item")
    assert item is not None
    return titles_of(40)[item]


@pytest.mark.parametrize("zoom", [2, 4])
def test_text_that_is_enlarged_fits(zoom: int, servers: PageServers, devices: Devices) -> None:
    """At 400 % a wide screen has 320 pixels, and nothing needs scrolling in both directions."""
    servers.session()
    page = devices.tab(size=(1280 // zoom, 1024 // zoom))
    page.open(servers.link())
    page.rate("3", "4.5")
    for view in ("rate", "session", "data", "recommendations"):
        page.view(view)
        assert too_wide(page.tab) <= 0, view


def test_a_phone_is_wide_enough_for_thumbs(servers: PageServers, devices: Devices) -> None:
    servers.session()
    page = devices.tab(size=PHONE)
    page.open(servers.link())
    page.item("3").locator("label").nth(4).tap()
    page.rated(1)
    small = page.tab.evaluate(
        """() => [...document.querySelectorAll("button, label, input:not([type=radio])")]
          .filter((one) => one.checkVisibility() && one.getClientRects().length)
          .map((one) => [one.innerText || one.id, one.getBoundingClientRect()])
          .filter(([, box]) => box.height > 1 && (box.height < 24 || box.width < 24))
          .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""
    )
    assert small == []
