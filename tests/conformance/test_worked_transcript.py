# SPDX-License-Identifier: Apache-2.0
"""The worked transcript: made anew it is the same, played again it is the same, and its parts say
the same as each other.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf import main
from ppmf_conformance import cases, worked
from ppmf_conformance.adapters import (
    building_blocks,
    lattice_blocks,
    oracle,
    sessions_and_uploads,
    transcripts,
)
from ppmf_conformance.cases import DIGESTS
from ppmf_secure.primitives.circuits.bristol import from_bristol
from ppmf_secure.primitives.circuits.netlist import Builder
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.protocols.ratings_product import fitted_scheme, orientations
from ppmf_secure.session import set_up
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, StateError
from tests.support.command_line import Capture
from tools import worked_transcript

Table = dict[str, Any]


@pytest.fixture(scope="module")
def table() -> Table:
    return transcripts.shipped()


def message(table: Table, sender: str, name: str, number: int = 0) -> Any:
    """A message of the transcript, parsed: the first, second, ... of its name of a sender."""
    found = [one for one in table["messages"] if (one["from"], one["name"]) == (sender, name)]
    return wire.decode(bytes.fromhex(found[number]["bytes"])).message


def draws(table: Table, role: str) -> dict[str, Any]:
    """What a server drew, by name."""
    return {one["name"]: one["values"] for one in table["draws"][role]}


@pytest.mark.req("PPMF-CON-022")
def test_the_files_are_made_anew_byte_for_byte() -> None:
    assert worked_transcript.files() == worked.contents()


@pytest.mark.req("PPMF-RUN-002", "PPMF-WIR-002")
def test_each_party_sends_the_recorded_bytes_again(table: Table) -> None:
    found = list(transcripts.replay(table))
    assert [str(one.role) for one in found] == ["users", "recsys", "csp"]
    by_sender: dict[str, int] = defaultdict(int)
    for one in table["messages"]:
        by_sender[one["from"]] += 1
    assert {str(one.role): one.messages for one in found} == by_sender
    assert [one.stages for one in found] == [0, len(table["stages"]), len(table["stages"])]


def changed(value: str) -> str:
    """Another number, or other bytes, of the same length; a large number changes much."""
    if value in ("1", "-1"):
        return str(-int(value))
    at = 1 if value[0] == "-" else 0
    return value[:at] + ("1" if value[at] != "1" else "2") + value[at + 1 :]


def edit(*path: Any) -> Callable[[Table], None]:
    """A change of one leaf."""

    def change(table: Table) -> None:
        *way, last = path
        for step in way:
            table = table[step]
        table[last] = changed(table[last])

    return change


def draw(role: str, name: str, *path: int) -> Callable[[Table], None]:
    """A change of one value that a server drew."""

    def change(table: Table) -> None:
        (found,) = [one for one in table["draws"][role] if one["name"] == name]
        edit("values", *path)(found)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit("draws", "users", 1, "seed"), "users: message 1 is not the recorded one"),
        (edit("draws", "users", 2, "material"), "users: message 2 is not the recorded one"),
        (edit("consent_keys", 0), "users: message 0 is not the recorded one"),
        (draw("recsys", "seed of the key"), "recsys: message 1 is not the recorded one"),
        (draw("csp", "offset"), "csp: message 2 is not the recorded one"),
        (draw("csp", "base secret 127"), "csp: message 2 is not the recorded one"),
        (draw("csp", "answer secret"), "csp: message 3 is not the recorded one"),
        (draw("recsys", "rows packing users: errors", 0, 0), "recsys: message "),
        (draw("csp", "answer for the items in iteration 1, R: masks", 0, 0), "csp: message "),
        (draw("csp", "answer for the users in iteration 2, W: floods", 0, 0), "csp: message "),
        (edit("messages", 3, "bytes"), "recsys: message 0 is not the recorded one"),
        (edit("stages", 4, "csp", 0), "csp: stage 4, bias_steps, is not the recorded one"),
        (edit("session", "recsys_nonce"), "another id"),
        (edit("output", "factors", 0, 0), "V is not the recorded one"),
    ],
)
def test_no_recorded_secret_is_idle(
    table: Table, change: Callable[[Table], None], said: str
) -> None:
    """With one value of the transcript changed, some party does not send the same bytes."""
    other = copy.deepcopy(table)
    change(other)
    with pytest.raises((StateError, EncodingError), match=said):
        list(transcripts.replay(other))


def test_more_coins_than_a_party_draws_are_noticed(table: Table) -> None:
    other = copy.deepcopy(table)
    other["draws"]["csp"].append(other["draws"]["csp"][1])
    with pytest.raises(StateError, match="csp: did not draw all"):
        list(transcripts.replay(other))


@pytest.mark.req("PPMF-CON-041")
def test_both_shares_of_a_stage_make_its_value(table: Table) -> None:
    """Added here in the simplest way, mod 2^k."""
    ring = 1 << sessions_and_uploads.session(table["session"]).bounds.ring_bits
    for stage in table["stages"]:
        if stage["stage"] in ("w", "x", "Phi", "S", "o", "q2", "G", "HG", "Z", "shares"):
            one, other, value = (
                np.array(stage[name], dtype=object).astype(object)
                for name in ("recsys", "csp", "value")
            )
            for a, b, v in zip(one.flat, other.flat, value.flat, strict=True):
                assert (int(a) + int(b) - int(v)) % ring == 0, stage["stage"]


@pytest.mark.req("PPMF-UPL-010", "PPMF-UPL-012", "PPMF-SES-012")
def test_what_the_users_drew_gives_their_messages(table: Table) -> None:
    for number, one in enumerate(table["draws"]["users"]):
        given = {"session": table["session"], "user": one["user"], **one}
        key = {"key": table["consent_keys"][number], "serial": "1"}
        blocks = sessions_and_uploads.OPERATIONS
        assert blocks["upload.keystream"](given)["keystream"] == one["mask"]
        assert blocks["upload.consent"]({**given, **key})["consent"] == one["consent"]
        sent = message(table, "users", "upload", number)
        assert blocks["upload.seal"](given)["sealed"] == bytes(sent.sealed).hex()
        opened = {**given, "secret": table["sealing_secret"], "sealed": bytes(sent.sealed).hex()}
        assert blocks["upload.open"](opened) == {"seed": one["seed"], "consent": one["consent"]}
        shares = {"csp": bytes.fromhex(one["mask"]), "recsys": bytes(sent.masked)}
        for server, share in shares.items():  # 5 planes of 3 items: a bit is spare
            shown = bytes.fromhex(table["stages"][0][server][number])
            assert shown == share[:1] + bytes([share[1] & 0x7F])
    for server in ("recsys", "csp"):
        given = {"session": table["session"], "secret": table[f"{server}_secret"]}
        signature = sessions_and_uploads.OPERATIONS["session.sign"](given)["signature"]
        assert signature == table[f"by_{server}"]
    set_up.read(set_up.write(sessions_and_uploads._signed(table)))


@pytest.mark.req("PPMF-OTE-010", "PPMF-OTE-011", "PPMF-OTE-012")
@pytest.mark.parametrize("server", ["recsys", "csp"])
def test_the_base_transfers_follow_from_offset_and_secrets(table: Table, server: str) -> None:
    """By the operations of base transfers, as another implementation would compute them."""
    found, peer = draws(table, server), "csp" if server == "recsys" else "recsys"
    offset = int.from_bytes(bytes.fromhex(found["offset"]), "little")
    request = bytes(message(table, server, "base-request").points)
    answer = bytes(message(table, peer, "base-answer").point).hex()
    secret = draws(table, peer)["answer secret"]
    blocks = building_blocks.OPERATIONS
    for number in (0, 1, 2, 126, 127):
        choice = str(offset >> number & 1)
        own = {"choice": choice, "secret": found[f"base secret {number}"]}
        points = blocks["base.points"]({**own, "candidates": found[f"candidates {number}"]})
        assert points["points"] == request[66 * number : 66 * number + 66].hex()
        place = {
            "session": table["session_id"],
            "epoch": "0",
            "sender": server,
            "transfer": str(number),
            **points,
        }
        both = blocks["base.answer"]({**place, "secret": secret})
        assert both["answer"] == answer
        seed = blocks["base.seed"]({**place, **own, "answer": answer})["seed"]
        assert seed == both["seeds"][int(choice)]


@pytest.mark.req("PPMF-RLW-004", "PPMF-RLW-006")
@pytest.mark.parametrize("server", ["recsys", "csp"])
def test_keys_and_rows_follow_from_secrets_seeds_and_errors(table: Table, server: str) -> None:
    found = draws(table, server)
    session = sessions_and_uploads.session(table["session"])
    scheme = fitted_scheme(session, cipher_suite(session.suite))
    assert isinstance(scheme, FittedRlwe)
    lattice = scheme.lattice
    given = {
        "lattice": {
            "suite": session.suite,
            "ring": str(session.bounds.ring_bits),
            "primes": str(len(lattice.primes)),
            "kept": str(lattice.kept),
        }
    }
    count = len(found["secrets"])
    key = {
        **given,
        "seed": found["seed of the key"],
        "secrets": found["secrets"],
        "errors": [found[f"errors of the key {number}"] for number in range(count)],
    }
    public = lattice_blocks.OPERATIONS["rlwe.key"](key)["public"]
    assert public == bytes(message(table, server, "server-key").product_key).hex()
    w, x = (np.array(table["stages"][at][server], dtype=object) for at in (1, 2))
    both = orientations(session.parameters, len(session.users), len(session.items))
    for number, (orientation, blocks) in enumerate(zip(both, ((w.T, x.T), (w, x)), strict=True)):
        layout, where = orientation.layout, f"rows packing {orientation.packing}"
        rows = {
            **given,
            "matrix": {
                "rows": str(layout.rows),
                "columns": str(layout.blocks[0]),
                "outputs": str(layout.outputs),
                "secrets": str(count),
            },
            "secrets": found["secrets"],
            "entries": np.concatenate(blocks, axis=1).tolist(),
            "seeds": found[f"{where}: seeds"],
            "errors": found[f"{where}: errors"],
        }
        groups = lattice_blocks.OPERATIONS["rlwe.encrypt"](rows)["groups"]
        sent = message(table, server, "encrypted-rows", number)
        assert "".join(groups) == bytes(sent.rows).hex()


@pytest.mark.req("PPMF-RUN-011")
def test_the_message_sequence_is_that_of_the_run(table: Table) -> None:
    sequence = json.loads(worked.read(worked_transcript.MESSAGES))
    assert sequence["session_id"] == table["session_id"]
    by_link: list[dict[tuple[str, str], list[Any]]] = [defaultdict(list), defaultdict(list)]
    for found, messages in zip(by_link, (sequence["messages"], table["messages"]), strict=True):
        for one in messages:
            found[one["from"], one["to"]].append((one["name"], one["phase"], one["length"]))
    assert by_link[0] == by_link[1]
    for one in sequence["messages"]:
        inside = sum(map(int, one["fields"].values()))
        assert inside < int(one["length"]) < inside + 120


@pytest.mark.req("PPMF-CIR-001", "PPMF-CIR-002", "PPMF-CON-044")
def test_netlists_as_text_have_the_digests_of_the_vectors() -> None:
    index = json.loads(worked.read("netlists.json"))["netlists"]
    by_name = {case.id.partition("/")[2]: case for case in cases.shipped().pick(["netlists/*"])}
    assert {one["name"] for one in index} == by_name.keys()
    for one in index:
        due = by_name[one["name"]]
        given = {"circuit": one["circuit"], "plan": one["plan"]}
        assert given == due.given
        assert {"and_gates": one["and_gates"], "sha256": one["sha256"]} == due.expect["out"]
        assert oracle.OPERATIONS["circuit.netlist"](given) == due.expect["out"]
        assert building_blocks.OPERATIONS["circuit.netlist"](given) == due.expect["out"]
        text = worked.read(one["file"]).decode()
        made = from_bristol(text, list(one["inputs"]), list(one["outputs"]))
        assert building_blocks.normal_form(made) == building_blocks.normal_form(
            building_blocks.circuit(given)
        )


@pytest.mark.req("PPMF-CON-044")
def test_a_normal_form_does_not_depend_on_exclusive_ors_and_negations() -> None:
    """One AND gate of (a ^ b) and not c: the exclusive or is taken apart, negations are moved."""

    def form(twisted: bool) -> str:
        b = Builder()
        (x, y, z), (out,) = b.input("share0", 3), [0]
        left = b.xor(b.xor(x, z), b.xor(y, z)) if twisted else b.xor(x, y)
        out = b.and_(left, b.not_(z))
        b.output("word", [b.not_(out), b.xor(out, x)])
        return building_blocks.normal_form(b.build())

    assert form(twisted=False) == form(twisted=True)
    assert set(form(twisted=False).splitlines()[0].split()) == {"1+2", "0+3"}
    assert form(twisted=False).splitlines()[1] == "0+4 1+4"


def test_the_command_plays_copies_and_tells(tmp_path: Path, capsys: Capture) -> None:
    assert main.main(["conformance", "transcript"]) == 0
    assert "csp: 54 messages and 47 stages, the same as recorded" in capsys.readouterr().out
    assert main.main(["conformance", "transcript", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == worked.contents().keys()
    assert main.main(["conformance", "transcript", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert found.keys() == {"format", "sha256", "folder", "parties"}
    assert [one["role"] for one in found["parties"]] == ["users", "recsys", "csp"]


def test_the_program_says_what_is_wrong_with_another_transcript(
    table: Table, tmp_path: Path, capsys: Capture
) -> None:
    assert transcripts.main([]) == 0
    other = copy.deepcopy(table)
    draw("csp", "offset")(other)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    assert transcripts.main([str(path)]) == 1
    assert "csp: message 2 is not the recorded one" in capsys.readouterr().err
    path.write_text("{}")
    assert transcripts.main([str(path)]) == 1
    assert "not of the format ppmf-transcript/1" in capsys.readouterr().err
    assert transcripts.main([str(tmp_path / "none")]) == 1


def test_a_file_that_is_not_the_listed_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in worked.contents().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "netlists.json").write_bytes(b"{}")
    monkeypatch.setattr(worked, "_FOLDER", tmp_path)
    with pytest.raises(EncodingError, match="not the file that SHA256SUMS lists"):
        worked.read("netlists.json")
    assert worked.read(DIGESTS)
