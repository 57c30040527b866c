# SPDX-License-Identifier: Apache-2.0
"""The operations of the level *function*, as the table of chapter 7 describes them.

An operation takes the members of `in` and returns those of `out`, then those of `steps`. Numbers
are strings on the outside. See f_fix_from_prose.py for what this is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tests.independent_reading import f_fix_from_prose as f_fix
from tests.independent_reading import parameters_from_prose as chapter_3
from tests.independent_reading import users_side_from_prose as users_side
from tests.independent_reading.parameters_from_prose import Parameters, RefusedError

Members = dict[str, Any]
Answer = tuple[Members, Members]


def integers(value: Any) -> Any:
    """Integers out of decimal strings, in lists of any depth."""
    return [integers(entry) for entry in value] if isinstance(value, list) else int(value)


def strings(value: Any) -> Any:
    """The members of an answer, every number as a string (PPMF-CON-003)."""
    if isinstance(value, Mapping):
        return {name: strings(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [strings(entry) for entry in value]
    return value if value is None or isinstance(value, str | bool) else str(value)


def rating(text: str) -> Fraction:
    """A rating; that it is a plain decimal, and `encoding` otherwise, is known from vectors."""
    number = chapter_3.plain_decimal(text)
    if number is None:
        raise RefusedError("encoding", "a rating is not a plain decimal number")
    return number


def parameters(given: Members) -> Parameters:
    """The parameters that differ from their default; what is no integer stays the text it is."""
    values = dict(given)
    for name in chapter_3.INTEGER_RANGES.keys() & given.keys():
        text = given[name]
        if isinstance(text, str) and f_fix.CANONICAL_INTEGER.fullmatch(text):
            values[name] = int(text)
    return chapter_3.parameters(values)


def described(p: Parameters) -> Answer:
    return {"canonical": chapter_3.canonical_text(p), "digest": chapter_3.digest(p).hex()}, {}


def validate(given: Members) -> Answer:
    return described(parameters(given["parameters"]))


def toml(given: Members) -> Answer:
    return described(chapter_3.from_toml(given["toml"]))


def bounded(given: Members) -> chapter_3.Bound:
    p = parameters(given["parameters"])
    return chapter_3.bound(p, int(given["users"]), int(given["items"]))


def bound(given: Members) -> Answer:
    found = bounded(given)
    return {"bound": found.bound, "width": found.width, "ring": found.ring}, {}


def warn(given: Members) -> Answer:
    return {"idle": bounded(given).idle}, {}


def ratings_of(given: Members, p: Parameters) -> f_fix.Ratings:
    listed = [(user, item, rating(text)) for user, item, text in given["ratings"]]
    return f_fix.read_ratings(p, given["users"], given["items"], listed)


def parse(given: Members) -> Answer:
    found = ratings_of(given, parameters(given["parameters"]))
    return {"users": found.users, "items": found.items, "values": found.entries}, {}


def round_(given: Members) -> Answer:
    return {"value": chapter_3.round_half_up(int(given["a"]), int(given["b"]))}, {}


def descend(given: Members) -> Answer:
    p = parameters(given["parameters"])
    words = zip(
        *(integers(given[name]) for name in ("x", "previous", "gradient", "steps")), strict=True
    )
    return {"z": [f_fix.descend(p, x, before, G, H) for x, before, G, H in words]}, {}


def prox(given: Members) -> Answer:
    p, words = parameters(given["parameters"]), integers(given["z"])
    if given["coordinate"] == "factor":
        words = [f_fix.prox(p, z, int(given["tau"]), int(given["theta"])) for z in words]
    return {"words": [f_fix.saturate(p, z) for z in words]}, {}


def init(given: Members) -> Answer:
    p = parameters(given["parameters"])
    n, m = int(given["users"]), int(given["items"])
    for count in (n, m):
        if not 1 <= count < 2**31:
            raise RefusedError("parameters", f"{count} rows: from 1 to 2^31 - 1 are allowed")
    U, V = f_fix.start(p, n, m)
    return {"users": U, "items": V}, {}


def step(given: Members) -> Answer:
    p, c = parameters(given["parameters"]), int(given["count"])
    curvature = chapter_3.curvature_of_factors(p, c, int(given["squares"]))
    H = chapter_3.step(p, curvature)
    tau, theta = chapter_3.thresholds(p, H)
    bias = chapter_3.step(p, chapter_3.curvature_of_bias(p, c)) if p.bias else None
    return {"factors": H, "bias": bias, "tau": tau, "theta": theta}, {"curvature": curvature}


def half_step(given: Members) -> Answer:
    rated: f_fix.Rated = [
        list(zip(integers(row["rows"]), integers(row["values"]), strict=True))
        for row in given["rated"]
    ]
    p = parameters(given["parameters"])
    rows, previous, other = (integers(given[name]) for name in ("rows", "previous", "other"))
    steps = dict(vars(f_fix.half_step(p, rows, previous, other, rated)))
    return {name: steps.pop(name) for name in ("rows", "previous")}, steps


def train(given: Members) -> Answer:
    p = parameters(given["parameters"])
    ratings = ratings_of(given, p)
    half_steps = [
        {"iteration": number // 2 + 1, "side": ("users", "items")[number % 2], "rows": done.rows}
        for number, done in enumerate(f_fix.run(p, ratings))
    ]
    V = f_fix.train(p, ratings)
    factors, bias = [row[: p.rank] for row in V], [row[p.rank] for row in V] if p.bias else None
    return {"items": ratings.items, "factors": factors, "bias": bias}, {"half_steps": half_steps}


def profiles(given: Members) -> users_side.Profiles:
    values = dict(given)
    for name in (*users_side.INTEGERS, "factors"):
        values[name] = integers(given[name])
    if given["bias"] is not None:
        values["bias"] = integers(given["bias"])
    return users_side.profiles(values)


def write(given: Members) -> Answer:
    return {"text": users_side.write(profiles(given["profiles"]))}, {}


def read(given: Members) -> Answer:
    fields = dict(vars(users_side.read(given["text"])))
    for name in users_side.DECIMALS:
        fields[name] = chapter_3.shortest_decimal(fields[name])
    return {"profiles": fields}, {}


def ridge(given: Members) -> Answer:
    p = profiles(given["profiles"])
    user = users_side.profile(p, [(item, rating(text)) for item, text in given["ratings"]])
    predictions = [users_side.predict(p, user, p.row(item)) for item in given["items"]]
    out = {
        "factors": user.u,
        "bias": user.a,
        "predictions": predictions,
        "clipped": [users_side.clip(p, prediction) for prediction in predictions],
        "top": users_side.top(p, user, int(given["count"])),
    }
    return out, {}


def similar(given: Members) -> Answer:
    p = profiles(given["profiles"])
    return {"items": users_side.similar(p, given["item"], int(given["count"]))}, {}


OPERATIONS: dict[str, Callable[[Members], Answer]] = {
    "params.validate": validate,
    "params.toml": toml,
    "params.bound": bound,
    "params.warn": warn,
    "ratings.parse": parse,
    "words.round": round_,
    "words.descend": descend,
    "prox": prox,
    "init": init,
    "step": step,
    "half_step": half_step,
    "train.fixed": train,
    "profiles.write": write,
    "profiles.read": read,
    "predict.ridge": ridge,
    "predict.similar": similar,
}
