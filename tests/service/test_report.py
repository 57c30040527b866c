# SPDX-License-Identifier: Apache-2.0
"""Reports of sessions: their content, that none of it is secret, that the page stands alone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import consent_key, read_token, write_code
from ppmf_service import report_page
from ppmf_service.measures import LOST, MOST_LINKS, Measures, PhaseCost, Sample, seconds_left
from ppmf_service.report import Reports
from ppmf_service.states import State
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.service.test_erasure import config_of
from tests.service.test_no_secrets_told import PIECE, written
from tests.support.engines import World
from tests.support.services import EXPIRES, START, Pair, opened


def reports(world: World, role: Role) -> Reports:
    return Reports(world.configs[role], world.server(role).database)


def pages(world: World, role: Role) -> list[Path]:
    return sorted(world.configs[role].reports_folder.glob("*"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, bytes]:
    """A pair that has trained a session, which has expired since."""
    world = World(tmp_path_factory.mktemp("reports"))
    key = world.opened()
    world.upload_all(key, but=1)
    world.secrets = secrets_of(world, key)  # type: ignore[attr-defined]
    world.clock.advance(3600)
    world.until(world.is_in(key, State.FINISHED))
    world.until(lambda: all(world.row(role, key).erased for role in (RECSYS, CSP)))
    return world, key


def secrets_of(world: World, key: bytes) -> set[str]:
    """What a report may not show, in many ways of writing."""
    found: set[str] = set()
    session = world.session(key)
    data = [world.server(CSP).sessions.sealing_key(key).secret_bytes()]
    for role in (RECSYS, CSP):
        data.append(world.server(role).sessions.tag_key(key, Coins.seeded(role)))
    for user in session.users:
        code = world.servers.codes[user]
        data += [read_token(world.servers.tokens[user]), code, consent_key(code)]
        found |= {world.servers.tokens[user], write_code(code)[:12], f'"{user}"', f">{user}<"}
    data += list(world.server(RECSYS).database.row("SELECT digest, message FROM uploads") or ())
    for one in data:
        found.update(text for text in written(one[:PIECE]) if len(text) >= PIECE)
        found.update(text for text in written(one[-PIECE:]) if len(text) >= PIECE)
    return found


@pytest.mark.req("PPMF-SRV-019")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_server_writes_a_report_by_itself_and_nothing_secret_is_in_it(
    trained: tuple[World, bytes], role: Role
) -> None:
    world, key = trained
    data, page = (path for suffix in (".json", ".html") for path in pages(world, role)
                  if path.suffix == suffix)  # fmt: skip
    found = json.loads(data.read_text())
    assert (found["server"], found["state"], found["admitted"]) == (role, "finished", 2)
    assert [one["state"] for one in found["events"]][-1] == "finished"
    (epoch,) = found["epochs"]
    assert (epoch["epoch"], epoch["outcome"]) == (1, "finished")
    assert epoch["memory_bytes"] > 1 << 20
    assert {"set-up", "products", "updates"} < {one["phase"] for one in epoch["phases"]}
    what = {one["what"]: one["count"] for one in found["erased"]}
    if role is RECSYS:
        assert what["uploads, with their digests"] == 2
    else:
        assert what["the private key for seals"] == 1
    secrets = world.secrets  # type: ignore[attr-defined]
    assert len(secrets) > 100
    for path in (data, page):
        text = path.read_text()
        assert not [one for one in secrets if one in text], path.name
    sent = {  # what one server sent the other one received
        each: [
            one[f"bytes_{way}"] for one in reports(world, each).facts(key)["epochs"][0]["phases"]
        ]
        for each, way in ((RECSYS, "sent"), (CSP, "received"))
    }
    assert sum(sent[RECSYS]) == sum(sent[CSP]) > 0


class _Page(HTMLParser):
    """Collects what a page refers to, and whether each element is ended."""

    def __init__(self) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.scripts = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.refers += [value for name, value in attrs if name in ("src", "href", "data")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """An element without content."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_needs_no_script(trained: tuple[World, bytes]) -> None:
    world, key = trained
    text = report_page.page(reports(world, CSP).facts(key))
    read = _Page()
    read.feed(text)
    assert (read.refers, read.scripts, read.open) == ([], 0, [])
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert text.count("<svg") >= 2
    assert all("aria-label" in one for one in re.findall("<svg[^>]*>", text))


def test_what_an_operator_or_an_error_says_is_text_on_the_page(servers: Pair) -> None:
    session = opened(servers)
    server = servers.recsys
    server.sessions.move(session.id, State.ABANDONED, because="<script>alert(1)</script>")
    facts = Reports(config_of(RECSYS, server), server.database).facts(session.id)
    text = report_page.page(facts)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "There was none." in text


@pytest.mark.req("PPMF-SRV-015")
def test_a_report_outlives_the_session(trained: tuple[World, bytes]) -> None:
    world, key = trained
    before = {role: pages(world, role) for role in (RECSYS, CSP)}
    world.clock.advance(EXPIRES - START)
    world.until(lambda: all(world.row(role, key).buried for role in (RECSYS, CSP)))
    for role in (RECSYS, CSP):
        assert pages(world, role) == before[role]
        facts = reports(world, role).facts(key)
        assert (facts["agreed"], facts["admitted"]) == (None, 2)
        assert len(facts["epochs"]) == 1
        assert "the session file, with the list of users" in {
            one["what"] for one in facts["erased"]
        }
        assert "All else but the tombstone was erased" in report_page.page(facts)


def test_an_epoch_that_was_interrupted_is_reported_as_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    key = world.opened()
    world.upload_all(key)
    folder = world.configs[CSP].session_folder(world.session(key).id)
    world.until((folder / "model-1.state").exists)
    world.restart(CSP)
    world.until(world.is_in(key, State.FINISHED))
    outcomes = {
        role: [one["outcome"] for one in reports(world, role).facts(key)["epochs"]]
        for role in (RECSYS, CSP)
    }
    assert outcomes == {RECSYS: ["peer", "finished"], CSP: [LOST, "finished"]}
    assert "connection lost" in report_page.page(reports(world, CSP).facts(key))
    assert world.server(RECSYS).database.row("SELECT count(*) FROM links WHERE NOT up")


def test_samples_of_a_long_epoch_grow_rarer_and_say_how_long_it_takes(servers: Pair) -> None:
    number = servers.recsys.sessions.get(opened(servers).id).number
    measures = Measures(servers.recsys.database)
    measures.began(number, 1)
    with servers.recsys.database.transaction():
        for second in range(4, 1200, 4):
            taken = [PhaseCost("products", float(second), 10 * second, second)]
            measures.sample(number, 1, "products", second // 20, 100, taken)
    samples = measures.samples(number, 1)
    assert 200 < len(samples) < 300
    assert samples[0] == Sample(4.0, "products", 0, 100, 40, 4)
    left = seconds_left(samples)
    assert left is not None
    assert abs(left - 20 * (100 - samples[-1].done)) < 40
    assert seconds_left(samples[:1]) is None
    assert measures.epochs(number)[0].phases == (PhaseCost("products", 1196.0, 11960, 1196),)


def test_the_link_is_noted_when_it_changes_and_not_for_ever(servers: Pair) -> None:
    measures = Measures(servers.recsys.database)
    assert measures.last_link() is None
    with servers.recsys.database.transaction():
        for number in range(MOST_LINKS + 10):
            measures.link(number % 2 == 0, "why")
            measures.link(number % 2 == 0, "the same again")
    kept = servers.recsys.database.row("SELECT count(*) FROM links")
    assert kept is not None
    assert kept[0] == MOST_LINKS
    last = measures.last_link()
    assert last is not None
    assert (last.up, last.why, last.at) == (False, "why", START)
    assert measures.losses(START, START) == MOST_LINKS // 2
