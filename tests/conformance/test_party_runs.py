# SPDX-License-Identifier: Apache-2.0
"""Whole runs under the suite, our own secure adapter, and what the runner sees in its messages."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ppmf_conformance import cases, party_runs, runner
from ppmf_conformance.adapters.party import Parties
from ppmf_conformance.line_protocol import Answer, ProtocolError
from ppmf_conformance.message_edits import Delivery, changed, field_changed
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.results import Outcome
from ppmf_spec import wire
from ppmf_spec.errors import StateError
from tests.support.messages import encoded_message, message_of

SECURE = (sys.executable, "-m", "ppmf_conformance.adapters.secure")
SUITE = cases.shipped()


def case(case_id: str) -> cases.Case:
    (found,) = SUITE.pick([case_id])
    return found


def failing(*patterns: str) -> list[tuple[str, str]]:
    summary = runner.run(runner.Plan(SECURE, SUITE.pick(patterns)))
    assert summary.asked
    return [(result.case.id, result.detail) for result in summary.results if result.fails]


def test_the_secure_adapter_passes_every_case_of_a_block() -> None:
    blocks = ("session", "shares", "upload", "paillier", "hash", "transfers", "bitmul", "circuits")
    pure = ("garbling", "init", "prox", "step", "wire", "numbering")
    assert failing(*(f"{family}/*" for family in (*blocks, *pure))) == []


def test_the_secure_adapter_passes_some_runs() -> None:
    patterns = ("train/*-0", "parties/lipschitz-csp", "parties/count-users-recsys-csp")
    assert failing(*patterns, "tampered/recsys-upload-extra-masked-cut", "tampered/*-gone") == []


@pytest.mark.slow
def test_the_secure_adapter_passes_all_cases_that_it_declares() -> None:
    assert failing() == []


def test_every_subset_of_the_parties_is_under_test() -> None:
    subsets = {
        tuple(one.given["roles"]) for one in SUITE.cases if one.id.startswith("parties/lipschitz-")
    }
    assert len(subsets) == 7


class Tampering:
    """Our own parties, one of whose answers is changed."""

    def __init__(self, op: str, change: Any) -> None:
        self._ours = OwnParties()
        self._op = op
        self._change = change

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        answer = self._ours.run(case_id, op, given)
        return self._change(answer) if op == self._op else answer


def name_of(one: dict[str, str]) -> str:
    """The type of a message of an outbox."""
    return wire.decode(bytes.fromhex(one["message"])).message.name


def outbox(edit: Any) -> Any:
    """A change of CSP's key."""

    def change(answer: Answer) -> Answer:
        sent = answer.out.get("outbox", [])
        first = next((at for at, one in enumerate(sent) if name_of(one) == "server-key"), None)
        if first is not None:
            sent[first : first + 1] = edit(sent[first])
        return answer

    return change


def message_edit(edit: str) -> Any:
    def change(one: dict[str, str]) -> list[dict[str, str]]:
        return [{**one, "message": changed(bytes.fromhex(one["message"]), edit).hex()}]

    return outbox(change)


def the_last_twice(answer: Answer) -> Answer:
    """CSP's answer, in the last of which the output share is sent twice."""
    if answer.out["done"]:
        answer.out["outbox"].append(answer.out["outbox"][-1])
    return answer


@pytest.mark.req("PPMF-CON-032")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (message_edit("cut"), "byte 70: cut short"),
        (message_edit("rename"), "bytes, not 136 of server-key"),
        (outbox(lambda one: [{**one, "to": "users"}]), "does not go this way"),
        (outbox(lambda one: [one, one]), "server-key of 136 bytes, not 8501 of base-request"),
        (the_last_twice, "output-share, where nothing more is due"),
        (
            outbox(
                lambda one: [
                    {
                        **one,
                        "message": field_changed(
                            bytes.fromhex(one["message"]), "product_key", "more"
                        ).hex(),
                    }
                ]
            ),
            "of 137 bytes, not 136 of server-key",
        ),
        (message_edit("session"), "our recsys ends with state"),
    ],
)
def test_what_a_party_under_test_sends_is_held_against_chapter_5(change: Any, why: str) -> None:
    one = case("parties/lipschitz-csp")
    outcome, detail = party_runs.play(one, Tampering("party.step", change))
    assert outcome is Outcome.FAIL
    assert why in detail


@pytest.mark.req("PPMF-CON-030")
def test_a_malformed_answer_of_a_party_is_reported() -> None:
    one = case("parties/lipschitz-csp")
    with pytest.raises(ProtocolError, match="no handle"):
        party_runs.play(one, Tampering("party.new", lambda _: Answer("ok", {})))
    with pytest.raises(ProtocolError, match=r"\$.refused: missing"):
        party_runs.play(one, Tampering("party.step", lambda _: Answer("ok", {"outbox": []})))


def test_a_party_that_sends_nothing_fails() -> None:
    idle = Answer("ok", {"outbox": [], "refused": [], "done": False, "output": None})
    found = party_runs.play(case("parties/lipschitz-csp"), Tampering("party.step", lambda _: idle))
    assert found == (Outcome.FAIL, "nobody sends what recsys, csp wait for")


def test_a_wrong_output_fails() -> None:
    def change(answer: Answer) -> Answer:
        if answer.out["output"] is not None:
            answer.out["output"]["factors"][0][0] = "1"
        return answer

    outcome, detail = party_runs.play(
        case("parties/lipschitz-recsys"), Tampering("party.step", change)
    )
    assert outcome is Outcome.FAIL
    assert detail.startswith("factors[0][0]")


@pytest.mark.req("PPMF-CON-030", "PPMF-CON-031", "PPMF-CON-038")
def test_a_party_that_has_ended_takes_no_more_steps() -> None:
    parties = Parties()
    given = case("parties/lipschitz-recsys").given
    wrong = {
        "role": "csp",
        "session": given["session"],
        "coins": "x",
        "sealing_secret": "00" * 32,
        "consent_keys": ["00" * 32 for _ in given["session"]["users"]],
    }
    with pytest.raises(StateError, match="not the key pair"):
        parties.step({**parties.new(wrong), "inbox": []})
    made = parties.new({"role": "recsys", "session": given["session"], "coins": "x"})
    first = parties.step({**made, "inbox": []})
    assert first == {"outbox": [], "refused": [], "done": False, "output": None}
    gone = [{"from": "users", "message": None}]
    answer = OwnParties().run("", "party.step", {**made, "inbox": []})
    assert (answer.status, answer.kind) == ("reject", "state")
    with pytest.raises(Exception, match="0 of 2 users are present, and 2 have to take part"):
        parties.step({**made, "inbox": gone})
    with pytest.raises(StateError, match="has ended"):
        parties.step({**made, "inbox": []})
    parties.free(made)
    with pytest.raises(StateError, match="no party"):
        parties.free(made)


class Recalling:
    """Our own parties, which answer `party.step` after the end as before it, or not at all."""

    def __init__(self, op: str, status: str, wrong: Answer) -> None:
        self._ours = OwnParties()
        self._wrong = (op, status, wrong)
        self._ended = False

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        answer = self._ours.run(case_id, op, given)
        ended, (wrong_op, status, wrong) = self._ended, self._wrong
        self._ended = ended or answer.status == "reject" or bool(answer.out.get("done"))
        return wrong if ended and (op, answer.status) == (wrong_op, status) else answer


@pytest.mark.req("PPMF-CON-031", "PPMF-CON-034", "PPMF-CON-035")
@pytest.mark.parametrize(
    ("case_id", "op", "status", "wrong", "why"),
    [
        (
            "parties/lipschitz-recsys",
            "party.step",
            "ok",
            Answer("ok", {"outbox": [], "refused": [], "done": True, "output": None}),
            "recsys: party.step after the end",
        ),
        (
            "parties/lipschitz-csp",
            "party.step",
            "ok",
            Answer("reject", {}, "encoding"),
            "csp: party.step after the end",
        ),
        (
            "parties/lipschitz-csp",
            "party.free",
            "ok",
            Answer("ok", {"handle": "1"}),
            "csp: party.free of a party: {} is due",
        ),
        (
            "parties/lipschitz-csp",
            "party.free",
            "reject",
            Answer("ok", {}),
            "csp: party.free of a freed handle: state is due",
        ),
        (
            "parties/lipschitz-csp",
            "party.step",
            "reject",
            Answer("error", {}),
            "csp: party.step of a freed handle: state is due",
        ),
        (
            "tampered/csp-cut",
            "party.step",
            "reject",
            Answer("reject", {}, "encoding"),
            "csp: party.step after a refusal: state is due",
        ),
    ],
)
def test_a_party_is_asked_once_more_after_its_end(
    case_id: str, op: str, status: str, wrong: Answer, why: str
) -> None:
    outcome, detail = party_runs.play(case(case_id), Recalling(op, status, wrong))
    assert outcome is Outcome.FAIL
    assert detail.startswith(why)


class LateSenders:
    """Our own parties, which keep their last message of a turn to a server until the next turn."""

    def __init__(self) -> None:
        self._ours = OwnParties()
        self._held: list[Any] = []

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        answer = self._ours.run(case_id, op, given)
        if op == "party.step" and answer.status == "ok":
            sent = [*self._held, *answer.out["outbox"]]
            waits = not answer.out["done"] and bool(sent) and sent[-1]["to"] != "users"
            # without the closing nothing goes on
            self._held = [sent.pop()] if waits and name_of(sent[-1]) != "closing" else []
            answer.out["outbox"] = sent
        return answer


@pytest.mark.req("PPMF-CON-037", "PPMF-RUN-008")
@pytest.mark.parametrize("role", ["recsys", "csp"])
def test_a_party_that_waits_for_what_it_does_not_need_fails(role: str) -> None:
    late = case(f"parties/lipschitz-late-{role}")
    assert party_runs.play(late, OwnParties())[0] is Outcome.PASS
    outcome, detail = party_runs.play(late, LateSenders())
    assert outcome is Outcome.FAIL
    assert f"{role} waits for message " in detail
    assert "which does not need it" in detail


@pytest.mark.req("PPMF-OTE-013")
@pytest.mark.parametrize("role", ["recsys", "csp"])
def test_nobody_waits_for_a_base_transfer_before_both_own_messages_are_sent(role: str) -> None:
    late = case(f"parties/lipschitz-late-{role}")
    for link, back in (("recsys>csp", "csp>recsys"), ("csp>recsys", "recsys>csp")):
        sent = [name for name, _ in late.steps["messages"][back]]
        for number, (name, _) in enumerate(late.steps["messages"][link]):
            if name in ("base-request", "base-answer"):
                assert int(late.steps["needed"][link][number]) == 1 + sent.index("base-answer")


@pytest.mark.req("PPMF-CON-034")
def test_a_session_is_refused_before_there_is_a_handle() -> None:
    refused = case("parties/refused-order-csp")
    assert party_runs.play(refused, OwnParties())[0] is Outcome.PASS
    accepting = Tampering("party.new", lambda _: Answer("ok", {"handle": "1"}))
    assert party_runs.play(refused, accepting)[0] is not Outcome.PASS


@pytest.mark.req("PPMF-CON-039", "PPMF-ADM-003")
def test_recsys_is_told_that_the_users_are_gone() -> None:
    absent = case("parties/absent-recsys")
    assert party_runs.play(absent, OwnParties())[0] is Outcome.PASS
    told: list[Any] = []

    class Listening(OwnParties):
        def run(self, case_id: str, op: str, given: Any) -> Answer:
            told.extend(given.get("inbox", []))
            return super().run(case_id, op, given)

    party_runs.play(absent, Listening())
    assert [one for one in told if one["from"] == "users"][-1]["message"] is None


@pytest.mark.req("PPMF-CON-036")
def test_nobody_waits_for_a_sender_of_whom_nothing_more_is_due() -> None:
    one = case("tampered/recsys-users-leave")
    assert party_runs.play(one, OwnParties())[0] is Outcome.PASS
    assert party_runs.play(case("tampered/recsys-gone-users"), OwnParties())[0] is Outcome.PASS


def a_message(number: int) -> bytes:
    session = bytes(range(32))
    columns = b"\x05" * 4
    return encoded_message(wire.TransferColumns, session=session, number=number, columns=columns)


def arriving(edit: str, **more: str) -> list[bytes | None]:
    """What arrives of three messages, the middle one of which is edited."""
    tamper = {"from": "csp", "to": "recsys", "number": "1", "edit": edit, **more}
    delivery = Delivery(tamper)
    for number in range(3):
        delivery.put("csp", "recsys", a_message(number))
    delivery.put("csp", "users", a_message(1))
    assert delivery.collect("users") == [("csp", a_message(1))]
    return [message for _, message in delivery.collect("recsys")]


@pytest.mark.req("PPMF-CON-033")
def test_an_edit_changes_one_message_and_no_other() -> None:
    one, two, three = map(a_message, range(3))
    assert arriving("drop") == [one, three]
    assert arriving("repeat") == [one, two, two, three]
    assert arriving("swap") == [one, three, two]
    assert arriving("gone") == [one, None]
    assert arriving("leaves") == [one, two, None]
    assert arriving("cut") == [one, two[:-1], three]
    assert arriving("more") == [one, two + b"\0", three]
    bad = field_changed(two, "columns", "zero")
    assert wire.decode(bad).message == message_of(wire.TransferColumns, columns=bytes(4))
    assert arriving("field", field="columns", value="zero") == [one, bad, three]
    assert arriving("extra", field="columns", value="zero") == [one, bad, two, three]
    assert arriving("again", field="columns", value="zero") == [one, two, bad, three]
    short = field_changed(two, "columns", "short")
    assert wire.decode(short).message == message_of(wire.TransferColumns, columns=bytes(3))
    assert arriving("field", field="columns columns", value="zero cut") == [one, short, three]
    both = arriving("field", field="columns", value="short", also="cut")
    assert both == [one, short[:-1], three]
    found = [wire.decode(arriving(edit)[1] or b"") for edit in ("session", "epoch", "number")]
    assert found[0].session == bytes(range(31, -1, -1))
    assert (found[1].epoch, found[2].number) == (1, 2)
    renamed = wire.decode(arriving("rename")[1] or b"")
    assert renamed.message.name == "output-share"
    with pytest.raises(ValueError, match="no edit"):
        arriving("burn")
