# SPDX-License-Identifier: Apache-2.0
"""Lines, their schema, and what is a right answer."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from ppmf_conformance import cases, enclosures, json_text, line_protocol, schema
from ppmf_conformance.adapters import values
from ppmf_conformance.judgement import judge
from ppmf_conformance.line_protocol import Answer, ProtocolError
from ppmf_conformance.results import Outcome
from ppmf_spec.errors import EncodingError, ParametersError

HELLO = (
    b'{"protocol":1,"implementation":{"name":"x","version":"1","language":"C","issues":""},'
    b'"features":["init","words.round"],"roles":["csp","users"]}'
)


def case(case_id: str) -> cases.Case:
    (found,) = cases.shipped().pick([case_id])
    return found


@pytest.mark.req("PPMF-CON-004")
def test_hello_is_read() -> None:
    found = line_protocol.parse_hello(HELLO)
    assert (found.name, found.version, found.language) == ("x", "1", "C")
    assert found.features == {"init", "words.round"}
    assert found.roles == ("users", "csp")


@pytest.mark.req("PPMF-CON-002", "PPMF-CON-003", "PPMF-CON-004")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"[]", "not of type object"),
        (HELLO.replace(b"1,", b"2,", 1), "not 1"),
        (HELLO.replace(b"1,", b"1.0,", 1), "float"),
        (HELLO.replace(b'"roles":', b'"seats":'), "missing"),
        (HELLO.replace(b'"csp"', b'"judge"'), "not one of"),
        (HELLO.replace(b'"csp"', b'"users"'), "twice"),
        (HELLO.replace(b'"init"', b'"Init"'), "not of the form"),
        (HELLO[:-1] + b',"roles":[]}', "a member twice"),
        (HELLO[:-1] + b',"more":1}', "unknown member"),
        (b"\xff" + HELLO, "not UTF-8"),
    ],
)
def test_a_malformed_hello_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        line_protocol.parse_hello(line)


@pytest.mark.req("PPMF-CON-006", "PPMF-CON-007")
def test_the_four_kinds_of_answers_are_read() -> None:
    ok = line_protocol.parse_answer(b'{"seq":7,"status":"ok","out":{"a":["1",null,true]}}', 7)
    assert ok == Answer("ok", {"a": ["1", None, True]})
    reject = b'{"seq":7,"status":"reject","class":"range","message":"too large"}'
    assert line_protocol.parse_answer(reject, 7) == Answer("reject", {}, "range", "too large")
    assert (
        line_protocol.parse_answer(b'{"seq":7,"status":"unsupported"}', 7).status == "unsupported"
    )
    error = b'{"seq":7,"status":"error","message":"stack"}'
    assert line_protocol.parse_answer(error, 7).message == "stack"


@pytest.mark.req("PPMF-CON-003", "PPMF-CON-006", "PPMF-CON-007")
@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":8,"status":"ok","out":{}}',
        b'{"seq":"7","status":"ok","out":{}}',
        b'{"seq":7,"status":"ok"}',
        b'{"seq":7,"status":"ok","out":{"value":3}}',
        b'{"seq":7,"status":"ok","out":{"value":[["1"],[2]]}}',
        b'{"seq":7,"status":"ok","out":{"value":1.5}}',
        b'{"seq":7,"status":"reject","class":"bad","message":"x"}',
        b'{"seq":7,"status":"reject","class":"range"}',
        b'{"seq":7,"status":"reject","class":"range","message":"two\\nlines"}',
        b'{"seq":7,"status":"done"}',
        b'{"seq":7,"status":"ok","out":{},"extra":"1"}',
    ],
)
def test_malformed_answers_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        line_protocol.parse_answer(line, 7)


def test_calls_are_of_their_schema() -> None:
    lines = schema.named("protocol")
    hello = json_text.loads(line_protocol.hello_line(), "call")
    assert schema.faults(hello, lines, "hello-request") == []
    for one in cases.shipped().cases:
        call = json_text.loads(line_protocol.run_line(1, one.id, one.op, one.given), one.id)
        assert schema.faults(call, lines, "run-request") == []


def test_an_unknown_keyword_of_a_schema_is_an_error() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        schema.faults(4, {"multipleOf": 2})


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"type": "integer"}, 1, True),
        ({"type": ["string", "null"]}, None, 1),
        ({"const": 1}, 1, 2),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"minLength": 2}, "ab", "a"),
        ({"pattern": "^([0-9a-f]{2})*$"}, "0a", "0a\n"),
        ({"pattern": "^([0-9a-f]{2})*$"}, "", "0A"),
        ({"pattern": "^([0-9a-f]{2})*$"}, "00", "0"),
        ({"pattern": "^a$"}, "a", "a\n"),
        ({"minimum": 0, "maximum": 9}, 9, 10),
        ({"minimum": 0}, 0, -1),
        ({"minItems": 1}, [1], []),
        ({"uniqueItems": True}, [1, 2], [1, 1]),
        ({"items": {"type": "string"}}, ["a"], ["a", 1]),
        ({"required": ["a"]}, {"a": 1}, {}),
        ({"additionalProperties": {"type": "string"}}, {"a": "1"}, {"a": 1}),
        ({"oneOf": [{"type": "string"}, {"pattern": "^a"}]}, 1, "a"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
    ],
)
def test_each_keyword_of_a_schema_is_enforced(
    rule: dict[str, Any], good: object, bad: object
) -> None:
    assert schema.faults(good, rule) == []
    assert len(schema.faults(bad, rule)) == 1


@pytest.mark.parametrize(
    "text",
    ["", "01", "+1", "1.0", "1e3", " 1", "1 ", "-0x1", "one", 1, None, True],
)
@pytest.mark.req("PPMF-CON-003")
def test_an_integer_is_a_decimal_string(text: object) -> None:
    with pytest.raises(EncodingError):
        values.integer(text)


def test_unknown_parameters_and_values_without_a_text_are_refused() -> None:
    with pytest.raises(ParametersError, match="ranks"):
        values.parameters({"ranks": "1"})
    with pytest.raises(TypeError, match="float"):
        values.shown(1.5)


@pytest.mark.req("PPMF-CON-012")
def test_an_answer_is_right_only_if_every_member_is() -> None:
    one = case("step/empty-row")
    right = dict(one.expect["out"])
    assert judge(one, Answer("ok", right)) == (Outcome.PASS, "")
    assert judge(one, Answer("ok", {**right, **one.steps})) == (Outcome.PASS, "")
    wrong_step = judge(one, Answer("ok", {**right, "curvature": "1"}))
    assert wrong_step == (Outcome.FAIL, 'steps: curvature: "1", not "0"')
    assert judge(one, Answer("ok", {**right, "tau": "9"}))[0] is Outcome.FAIL
    assert judge(one, Answer("ok", {**right, "more": "9"}))[1] == "more: no member of this answer"
    missing = {name: value for name, value in right.items() if name != "tau"}
    assert judge(one, Answer("ok", missing))[1] == "tau: missing in the answer"
    assert judge(one, Answer("reject", {}, "range", "no"))[1] == "refused (range): no"


@pytest.mark.req("PPMF-CON-005", "PPMF-CON-007", "PPMF-CON-012")
def test_a_refusal_is_right_in_class_and_message() -> None:
    one = case("params/rank-below")
    named = Answer("reject", {}, "parameters", "rank = 0: at least 1")
    assert judge(one, named) == (Outcome.PASS, "")
    assert judge(one, replace(named, kind="range"))[0] is Outcome.FAIL
    assert "does not name" in judge(one, replace(named, message="no"))[1]
    assert "accepted" in judge(one, Answer("ok", {}))[1]
    assert judge(one, Answer("error", {}, message="x"))[0] is Outcome.ERROR
    assert judge(one, Answer("unsupported", {}))[0] is Outcome.UNSUPPORTED
    secret = case("ratings/value-quarter")
    assert judge(secret, Answer("reject", {}, "range", "off the grid"))[0] is Outcome.PASS
    assert "secret" in judge(secret, Answer("reject", {}, "range", "4.25 is off"))[1]


@pytest.mark.req("PPMF-CON-013")
@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1/3", True),
        ("0.3333333", False),
        ("0.3333334", True),
        ("0.333334", False),
        ({"mid": "0.3", "rad": "0.04"}, True),
        ({"mid": "0.3", "rad": "0.03"}, False),
        ({"mid": "0.3", "rad": "0.4"}, False),
        ({"mid": "0.3", "rad": "-0.4"}, False),
        ({"mid": "0.3"}, False),
        ("1e-1", False),
        (None, False),
    ],
)
def test_an_approximate_answer_is_refuted_by_the_enclosure_alone(
    answer: object, right: bool
) -> None:
    interval = {"lower": "333333301/1000000000", "upper": "333333500/1000000000"}
    found = enclosures.refutation([interval], [answer], Fraction(1, 10), "x")
    assert (found is None) == right
    assert enclosures.refutation([interval], [], Fraction(1), "x") == "x: not a list of 1"
    nested = {"a": interval}
    assert enclosures.refutation(nested, {"b": "1/3"}, Fraction(1), "x") == "x: without a"
