# SPDX-License-Identifier: Apache-2.0
"""Whatever a server says, the page shows one sentence, and what the user rated stays."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from ppmf_secure.session import set_up
from ppmf_service.states import State
from ppmf_spec import profiles
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS
from tests.browser.conftest import Devices
from tests.browser.page_servers import (
    PageServers,
    made_up_profiles,
    titles_of,
)
from tests.browser.recording_proxy import CUT_OFF, Answer, Change, Exchange, RecordingProxy
from tests.browser.users_page import UsersPage
from tests.support.sessions import SIGNING

FOREIGN = "http://127.0.0.1:47999"
CBOR = ((b"content-type", b"application/cbor"),)
JSON = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, max-age=31536000, immutable"),
)
HURRIED = "{ const wait = setTimeout; setTimeout = (call, ms) => wait(call, ms / 50); }"
"""Pauses between two tries are short: what is tested is what is said after them."""

DEEP = b"[" * 100_000


def replaced(
    end: str, answer: Answer | Callable[[Exchange], Answer], method: str = "GET", of: str = ""
) -> Change:
    """The change that answers requests of a method whose path matches and ends so.

    of: the origin that they are for, if not every one.
    """

    def change(asked: Exchange) -> Answer | None:
        if asked.method != method or not re.fullmatch(f".*{end}", asked.path):
            return None
        if of and asked.origin != of:
            return None
        if isinstance(answer, Answer):
            return answer
        return answer(asked) if asked.answer is not None else None

    return change


def body(change: Callable[[bytes], bytes]) -> Callable[[Exchange], Answer]:
    """An answer with another body."""

    def changed(asked: Exchange) -> Answer:
        assert asked.answer is not None
        return asked.answer.but(change(asked.answer.body))

    return changed


def says(content: object) -> Answer:
    """An answer in JSON."""
    return Answer(200, JSON, json.dumps(content).encode())


def problem(status: int, kind: str = "state", **headers: str) -> Answer:
    """A refusal."""
    content = {"class": kind, "detail": "<b>no</b> Traceback (most recent call last)"}
    answer = Answer(
        status, ((b"content-type", b"application/problem+json"),), json.dumps(content).encode()
    )
    return answer.but(None, **headers)


def one_sentence(text: str) -> str | None:
    """What is wrong with the text of a refusal, if anything is."""
    text = " ".join(text.replace("×", "").split())
    if not 20 < len(text) < 250 or not text.endswith("."):
        return f"not a sentence: {text!r}"
    if re.search(r"undefined|null|NaN|Error\b|\bat .*:\d+|<|Traceback|\[object|ppmf-|/v1/", text):
        return f"a program's words: {text!r}"
    return None


ID = "/v1/sessions/[0-9a-f]{64}"
UPLOAD = f"{ID}/uploads/0"
TO_FOREIGN = Answer(302, ((b"location", f"{FOREIGN}/stolen".encode()),))


def openings(servers: PageServers, other: bytes) -> dict[str, tuple[Change, ...]]:
    """What a hostile RecSys, or CSP, may answer when a user comes for the first time.

    other: the file of another session.
    """

    def flipped(at: int) -> Callable[[bytes], bytes]:
        return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    listed = "/v1/sessions"
    shown = {
        "a signature is wrong": body(flipped(-1)),
        "the other signature is wrong": body(flipped(-80)),
        "a byte within is wrong": body(flipped(200)),
        "another session": body(lambda _: other),
        "cut short": body(lambda data: data[:-1]),
        "no CBOR": body(lambda _: b"<html>captive portal</html>"),
        "nothing": body(lambda _: b""),
        "deep CBOR": body(lambda _: b"\x81" * 100_000),
        "a huge CBOR string": body(lambda _: b"\x5b\x7f" + b"\xff" * 7),
    }
    lists = {
        "no JSON": b"<html>captive portal</html>",
        "deep JSON": DEEP,
        "no object": b"[]",
        "no list": b'{"sessions": 5}',
        "no id": json.dumps({"sessions": [{"id": "<img src=x>", "phase": "open"}]}).encode(),
        "a path as id": json.dumps({"sessions": [{"id": "../../x", "phase": "open"}]}).encode(),
        "prototype": b'{"__proto__": {"sessions": []}}',
        "no UTF-8": b'{"sessions": "\xff"}',
        "long": b'{"sessions": []' + b" " * (1 << 17) + b"}",
    }
    return {
        **{name: (replaced(ID, answer),) for name, answer in shown.items()},
        **{
            f"list: {name}": (replaced(listed, Answer(200, JSON, text)),)
            for name, text in lists.items()
        },
        "another session at CSP": (replaced(ID, body(lambda _: other), of=servers.csp),),
        "a redirect": (replaced(ID, TO_FOREIGN),),
        "a redirect at CSP": (replaced(ID, TO_FOREIGN, of=servers.csp),),
        "the list is redirected": (replaced(listed, TO_FOREIGN),),
        "CSP does not know it": (replaced(ID, problem(404, "range"), of=servers.csp),),
        "refused": (replaced(listed, problem(403)),),
    }


@pytest.fixture
def rated(servers: PageServers, devices: Devices) -> UsersPage:
    """A page on which two items are rated, and nothing is sent."""
    servers.session()
    page = devices.tab()
    page.open(servers.link())
    page.rate("3", "4.5")
    page.rate("4", "1")
    page.rated(2)
    return page


def test_a_hostile_session_is_refused_with_one_sentence(
    servers: PageServers, proxy: RecordingProxy, devices: Devices
) -> None:
    other = servers.session(titles_of(20), nonce=1)
    servers.move(other, State.ABANDONED)
    real = servers.session()
    sessions = servers.pair.recsys.sessions
    only = says({"format": "ppmf-sessions/1", "sessions": [{"id": real.id.hex(), "phase": "open"}]})
    wrong = {}
    device = devices.device()
    device.add_init_script(HURRIED)
    page = devices.tab(device)
    for name, changes in openings(servers, sessions.file(other.id)).items():
        page.tab.goto("about:blank")
        with proxy.changed(*changes, replaced("/v1/sessions", only)):
            page.tab.goto(servers.link())
            expect(page.by("error")).to_be_visible()
            said = one_sentence(page.by("error").inner_text())
            if said is not None:
                wrong[name] = said
    page.open(servers.recsys)
    page.phase("open")
    page.no_error()
    assert wrong == {}
    assert not [one for one in proxy.exchanges if one.url.startswith(FOREIGN)]


def test_a_cipher_suite_that_protects_nothing_is_refused_but_in_a_trial(
    servers: PageServers, page: UsersPage, proxy: RecordingProxy
) -> None:
    """Both servers together could agree on it: the page does not take part."""
    trial = servers.session()
    proposal = replace(trial.proposal)
    object.__setattr__(proposal, "trial", False)
    session = replace(trial, proposal=proposal)
    by = [set_up.sign(SIGNING[role], session.id) for role in (RECSYS, CSP)]
    file = Answer(200, CBOR, set_up.write(set_up.SignedSession(session, *by)))
    listed = says({"sessions": [{"id": session.id.hex(), "phase": "open"}]})
    with proxy.changed(replaced("/v1/sessions", listed), replaced(ID, file)):
        page.tab.goto(servers.link())
        assert one_sentence(page.refused("")) is None


def test_a_session_that_expired_is_refused(servers: PageServers, page: UsersPage) -> None:
    session = servers.session()
    page.tab.clock.set_fixed_time(session.proposal.expires + 1)
    page.tab.goto(servers.link())
    assert one_sentence(page.refused("expired")) is None


def test_hostile_answers_to_an_upload_lose_nothing(
    rated: UsersPage, servers: PageServers, proxy: RecordingProxy
) -> None:
    receipt = {"serial": 1, "digest": "00" * 32, "withdrawn": False, "admitted": None}
    answers = {
        "another digest": says(receipt),
        "no digest": says({**receipt, "digest": 5}),
        "a huge serial": says({**receipt, "serial": 1 << 64}),
        "a number that is none": Answer(200, JSON, b'{"serial": 1e400}'),
        "deep": Answer(200, JSON, DEEP),
        "no JSON": Answer(200, (), b"thanks!"),
        "a redirect": TO_FOREIGN,
        "who are you": problem(401, "range"),
        "closed": problem(409),
        "too long": problem(413, "encoding"),
        "teapot": Answer(418, (), b"<script>window.ran = true</script>"),
    }
    wrong = {}
    for name, answer in answers.items():
        with proxy.changed(replaced(UPLOAD, answer, "PUT")):
            rated.by("send").click()
            expect(rated.by("error")).to_be_visible()
            said = one_sentence(rated.refused(""))
            rated.idle()
            if said is not None:
                wrong[name] = said
        rated.rated(2)
    assert wrong == {}
    sent = {one.body for one in proxy.asked("/uploads/0", "PUT")}
    assert len(sent) == 1, "the same serial came with other bytes"
    rated.send()
    assert {one.body for one in proxy.asked("/uploads/0", "PUT")} == sent
    assert not [one for one in proxy.exchanges if one.url.startswith(FOREIGN)]


@pytest.mark.req("PPMF-API-018")
def test_a_lost_answer_and_a_lost_tab_send_the_same_bytes_again(
    rated: UsersPage, servers: PageServers, proxy: RecordingProxy
) -> None:
    """The server has the upload, the page does not know it, and the tab is closed."""

    def lost(asked: Exchange) -> Answer | None:
        here = asked.method == "PUT" and asked.answer is not None
        return CUT_OFF if here else None

    with proxy.changed(lost):
        rated.by("send").click()
        expect(rated.tab.locator("html")).to_have_attribute("data-busy", "1")
        while not proxy.asked("/uploads/0", "PUT"):
            rated.tab.wait_for_timeout(10)
        context = rated.tab.context
        rated.tab.close()
    again = UsersPage(context.new_page())
    again.open(servers.recsys)
    again.rated(2)
    again.send()
    assert len({one.body for one in proxy.asked("/uploads/0", "PUT")}) == 1


def test_a_hostile_status_is_refused_with_one_sentence(
    rated: UsersPage, proxy: RecordingProxy
) -> None:
    answers = {
        "eleven tenths": says({"phase": "training", "tenths": 11}),
        "less than none": says({"phase": "training", "tenths": -1}),
        "half a tenth": Answer(200, JSON, b'{"phase": "training", "tenths": 0.5}'),
        "no number": says({"phase": "training", "tenths": "9"}),
        "no phase": says({"phase": ["open"], "tenths": 0}),
        "markup": says({"phase": "<img src=x onerror=alert(1)>", "tenths": 0}),
        "deep": Answer(200, JSON, DEEP),
        "huge": Answer(200, JSON, b'{"phase": "' + b"x" * (1 << 20) + b'"}'),
        "a bomb": Answer(
            200, (*JSON, (b"content-encoding", b"gzip")), gzip.compress(bytes(1 << 24))
        ),
        "a redirect": TO_FOREIGN,
    }
    wrong = {}
    rated.view("session")
    for name, answer in answers.items():
        with proxy.changed(replaced("/status", answer)):
            rated.by("check-now").click()
            rated.idle()
            if rated.by("error").is_hidden():  # a later version may have other phases
                said = one_sentence(rated.by("phase").inner_text())
            else:
                said = one_sentence(rated.refused(""))
            if said is not None:
                wrong[name] = said
    rated.check_now()
    rated.phase("open")
    rated.view("rate")
    rated.rated(2)
    assert wrong == {}


def hostile_profiles(servers: PageServers, real: bytes) -> dict[str, bytes]:
    """Files of V that are none of the session."""
    items = tuple(titles_of(40))
    session_items = json.loads(real)["items"]
    wide = Parameters(rank=3, iterations=1)
    content = json.loads(real)

    def with_member(**members: object) -> bytes:
        return json.dumps({**content, **members}).encode()

    return {
        "another rank": profiles.dumps(made_up_profiles(session_items, wide)).encode(),
        "fewer items": profiles.dumps(
            made_up_profiles(session_items[:-1], Parameters(rank=2, iterations=1))
        ).encode(),
        "other items": with_member(items=[*session_items[:-1], "zzz"]),
        "no JSON": b"captive portal",
        "deep": DEEP,
        "cut short": real[:-2],
        "other ridge": with_member(ridge="13"),
        "a float": with_member(bias=[0.5, *content["bias"][1:]]),
        "out of range": with_member(bias=[1 << 40, *content["bias"][1:]]),
        "a huge number": real.replace(b'"rank"', b'"rank": 9' + b"9" * 400 + b', "rank"', 1),
        "nothing": b"",
        "many items": with_member(items=[str(number) for number in range(len(items) * 50)]),
    }


def test_a_hostile_v_is_refused_with_one_sentence_and_the_right_one_is_used_later(
    rated: UsersPage, servers: PageServers, proxy: RecordingProxy
) -> None:
    session = servers.pair.recsys.sessions.signed_session(
        servers.pair.recsys.sessions.all()[-1].key
    ).session
    real = servers.publish(session)
    wrong = {}
    rated.view("session")
    for name, data in hostile_profiles(servers, real).items():
        with proxy.changed(replaced("/profiles", Answer(200, JSON, data))):
            rated.by("check-now").click()
            rated.idle()
            said = "taken" if rated.by("error").is_hidden() else one_sentence(rated.refused(""))
            if said is not None:
                wrong[name] = said
    assert wrong == {}
    rated.check_now()
    rated.no_error()
    rated.view("recommendations")
    assert rated.recommended()


HTML = {
    "1": "<img src=x onerror='window.ran = true'> One",
    "2": "<script>window.ran = true</script> Two",
    "3": "&lt;b&gt; Three <b>bold</b>",
    "4": "\u202eruoF \u0000\u0007",
    "5": "javascript:window.ran=true",
    "6": "x" * 5000,
}


def test_markup_in_a_title_is_text(servers: PageServers, page: UsersPage, devices: Devices) -> None:
    servers.session(HTML)
    page.open(servers.link())
    for item in ("1", "2", "3", "5"):
        expect(page.item(item)).to_contain_text(HTML[item])
    assert page.by("items").locator("img, script, b").count() == 0
    page.search("bold")
    expect(page.by("items").locator("li")).to_have_count(1)
    page.rate("3", "4")
    assert page.tab.evaluate("() => 'ran' in window") is False
    assert [line for line in devices.said if "Failed to load resource" not in line] == []


HOSTILE_TITLES = {
    "no JSON": b"<html>",
    "no text": b'{"titles": {"1": 5, "2": null, "3": " "}}',
    "list": b'{"titles": [[]]}',
    "deep": DEEP,
    "cut short": b'{"titles": {"1": "One"}',
    "prototype": b'{"__proto__": {"titles": {"1": "x"}}}',
    "no UTF-8": b'{"titles": {"1": "\xff"}}',
}


def test_hostile_titles_leave_the_ids(
    servers: PageServers, page: UsersPage, proxy: RecordingProxy
) -> None:
    servers.session()
    page.open(servers.link())
    for stars, content in zip("1234543", HOSTILE_TITLES.values(), strict=True):
        with proxy.changed(replaced("/titles.json", Answer(200, JSON, content))):
            page.open(servers.recsys)
            expect(page.item("1")).to_be_visible()
            page.rate("1", stars)
            page.no_error()


def test_an_inline_script_does_not_run(
    servers: PageServers, page: UsersPage, proxy: RecordingProxy, devices: Devices
) -> None:
    """The policy is one that the browser enforces, not only a header that is there."""
    servers.session()
    added = b"<script>window.ran = 1</script><img src='data:,' onerror='window.ran = 2'>"

    def changed(asked: Exchange) -> Answer | None:
        if asked.path == "/" and asked.answer is not None:
            return asked.answer.but(asked.answer.body.replace(b"<body>", b"<body>" + added))
        return None

    with proxy.changed(changed):
        page.open(servers.link())
    assert page.tab.locator("body > script").count() == 1
    assert page.tab.evaluate("() => 'ran' in window") is False
    assert sum("Content Security Policy" in line for line in devices.said) >= 2
