# SPDX-License-Identifier: Apache-2.0
"""The page for users as a test drives it: each method is something that a person does or sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect


@dataclass
class UsersPage:
    """The page in one tab."""

    tab: Page

    # -- what everything rests on ------------------------------------------------------------------

    def by(self, testid: str) -> Locator:
        """What has this id for tests."""
        return self.tab.get_by_test_id(testid)

    def idle(self) -> None:
        """Wait until nothing is under way."""
        expect(self.tab.locator("html")).to_have_attribute("data-busy", "0")

    def until(self, state: str) -> None:
        """Wait until the page as a whole is in this state, and nothing is under way."""
        expect(self.tab.locator("html")).to_have_attribute("data-state", state)
        self.idle()

    def no_error(self) -> None:
        """Check that nothing is refused."""
        expect(self.by("error")).to_be_hidden()

    def refused(self, like: str | re.Pattern[str]) -> str:
        """Wait for the one sentence of a refusal, and close it; its text."""
        error = self.by("error")
        expect(error).to_be_visible()
        expect(error).to_contain_text(like)
        text: str = error.inner_text()
        self.by("error-close").click()
        expect(error).to_be_hidden()
        return text

    def noticed(self, like: str | re.Pattern[str]) -> None:
        """Wait for a notice."""
        expect(self.by("notice")).to_contain_text(like)

    # -- what a person does ------------------------------------------------------------------------

    def open(self, link: str, state: str = "ready") -> None:
        """Open a link, and wait for the page."""
        self.tab.goto(link)
        self.until(state)
        if state == "ready":
            self.know_of_trial()

    def know_of_trial(self) -> None:
        """Say, if this is a trial for which it was not said yet, that one knows of it."""
        known = self.by("trial-known")
        if known.is_visible():
            known.check()
            expect(known).to_be_hidden()
            self.idle()

    def view(self, name: str) -> None:
        """Go to one of the views."""
        self.by(f"nav-{name}").click()
        expect(self.by(f"nav-{name}")).to_have_attribute("aria-current", "page")
        expect(self.by(f"view-{name}")).to_be_visible()

    def search(self, words: str) -> None:
        """Search items by words of their titles."""
        self.by("search").fill(words)

    def item(self, item: str, within: str = "items") -> Locator:
        """The row of an item."""
        return self.by(within).locator(f'li[data-item="{item}"]')

    def rate(self, item: str, stars: str) -> None:
        """Rate an item that is shown."""
        # the radio itself lies below its label, which is what a person clicks
        self.item(item).locator(f'input[type=radio][value="{stars}"]').check(force=True)
        expect(self.item(item).locator(f'input[value="{stars}"]')).to_be_checked()

    def rated(self, count: int) -> None:
        """Wait until so many items are rated."""
        expect(self.by("rated-count")).to_have_attribute("data-count", str(count))

    def send(self) -> None:
        """Send the ratings, and wait until RecSys has them."""
        self.by("send").click()
        self.sent("sent")

    def sent(self, state: str) -> None:
        """Wait until what was sent is so."""
        expect(self.by("sent-state")).to_have_attribute("data-state", state)
        self.idle()

    def phase(self, phase: str) -> None:
        """Wait until the session is shown to be so far."""
        expect(self.by("phase")).to_have_attribute("data-phase", phase)

    def check_now(self) -> None:
        """Ask the server how far the session is."""
        self.view("session")
        self.by("check-now").click()
        self.idle()

    def recommended(self) -> list[tuple[str, float]]:
        """The recommendations that are shown: items, the best first, and predictions."""
        rows = self.by("recommendations").locator(":scope > li")
        expect(rows.first).to_be_visible()
        script = "rows => rows.map(row => [row.dataset.item, Number(row.dataset.value)])"
        return [(item, value) for item, value in rows.evaluate_all(script)]

    def export(self, to: Path) -> Path:
        """Export the ratings into a file."""
        self.view("data")
        with self.tab.expect_download() as download:
            self.by("export").click()
        download.value.save_as(to)
        return to

    def erase(self) -> None:
        """Erase all that the page has on this device."""
        self.view("data")
        self.by("erase").click()
        expect(self.by("erase-dialog")).to_be_visible()
        self.by("erase-confirm").click()
        self.until("erased")

    # -- what a person does not see ----------------------------------------------------------------

    def stored(self) -> dict[str, Any]:
        """What the page's origin has stored on this device."""
        found: dict[str, Any] = self.tab.evaluate(_STORED)
        return found

    def milliseconds(self, name: str) -> list[float]:
        """The durations that the page measured under a name."""
        script = "name => performance.getEntriesByName(name).map(entry => entry.duration)"
        return [float(one) for one in self.tab.evaluate(script, name)]


_STORED = """async () => {
  const rows = {};
  for (const {name, version} of await indexedDB.databases()) {
    const database = await new Promise((resolve, reject) => {
      const asked = indexedDB.open(name, version);
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
    for (const store of database.objectStoreNames) {
      const all = await new Promise((resolve, reject) => {
        const asked = database.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => reject(asked.error);
      });
      if (all.length) rows[`${name}/${store}`] = all.length;
    }
    database.close();
  }
  const caches_ = [];
  for (const name of await caches.keys()) {
    const kept = await (await caches.open(name)).keys();
    caches_.push(...kept.map((one) => one.url));
  }
  return {
    rows,
    caches: caches_,
    local: Object.entries(localStorage),
    session: Object.entries(sessionStorage),
    cookies: document.cookie,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  };
}"""
