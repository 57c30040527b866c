# SPDX-License-Identifier: Apache-2.0
"""`ppmf evaluate`: the private model is the users' own ridge, and the command says what it did."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf import evaluation as evaluation_package
from ppmf import main
from ppmf.data import synthetic_ratings
from ppmf.evaluation import predictors, sweep
from ppmf.evaluation.predictors import Trial
from ppmf_reference import fixed, ridge
from ppmf_secure.transport import processes
from ppmf_spec import ratings
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, quantise, split_holdout

Capture = pytest.CaptureFixture[str]
PARAMS = Parameters(rank=2, iterations=3)
MODELS = ["private", "als", "biases", "mean", "popularity"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings of 30 users and 25 items."""
    path = tmp_path_factory.mktemp("evaluate") / "ratings.csv"
    ratings.write_csv(path, ratings.most_active(synthetic_ratings.ratings(60, 60), 30, 25))
    return path


def split(file: Path, params: Parameters = PARAMS) -> tuple[Ratings, Ratings]:
    return split_holdout(quantise(ratings.read(file), params), "evaluate")


def evaluation(capsys: Capture, file: Path, *arguments: str) -> dict[str, Any]:
    """The JSON object of the command, which is all that is on standard output."""
    capsys.readouterr()
    small = ["--rank", "2", "--iterations", "3"]
    assert main.main(["evaluate", str(file), *small, "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def line_of(capsys: Capture, arguments: list[str]) -> str:
    """The one line in which a command ends that is refused."""
    capsys.readouterr()
    assert main.main(["--quiet", "evaluate", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


# -- predictors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_the_private_model_is_each_users_own_ridge(file: Path, bias: bool) -> None:
    params = replace(PARAMS, bias=bias)
    training, held_out = split(file, params)
    profiles = fixed.train(training, params)
    model = predictors.private(profiles, training).model
    offset, unit = params.rating_offset, 2**params.rating_frac_bits
    expected = []
    for (rows, values), (asked, _) in zip(training.by_user(), held_out.by_user(), strict=True):
        mine = {row: offset + Fraction(x, unit) for row, x in zip(rows, values, strict=True)}
        own = ridge.profile(mine, profiles)
        expected += [ridge.clip(ridge.predict(own, profiles, row), profiles) for row in asked]
    np.testing.assert_allclose(model.predict(held_out, params), np.array(expected, np.float64))
    scores = model.scores(np.array([3, 1]))
    one = ridge.profile(
        {row: offset + Fraction(x, unit) for row, x in zip(*training.by_user()[1], strict=True)},
        profiles,
    )
    exact = [float(ridge.predict(one, profiles, row)) for row in range(training.n_items)]
    np.testing.assert_allclose(scores[1], exact)


def test_ratings_that_determine_no_profile_are_refused_without_a_ridge(file: Path) -> None:
    training, _ = split(file)
    profiles = fixed.train(training, PARAMS)
    flat = replace(profiles, ridge=Fraction(0), factors=np.zeros_like(profiles.factors))
    with pytest.raises(ParametersError, match="do not determine a profile"):
        predictors.private(flat, training)


def test_the_mean_has_no_lists_and_popularity_no_errors(file: Path) -> None:
    training, held_out = split(file)
    trial = Trial(training, held_out, PARAMS, 5, Fraction(3))
    als, biases, mean, popularity = map(trial.judge, predictors.compared(training, PARAMS))
    assert mean.lists is None
    assert popularity.errors is None
    stars = 3 + training.value / 2
    truth = 3 + held_out.value / 2
    assert mean.errors is not None
    assert mean.errors.rmse == pytest.approx(np.sqrt(np.mean((truth - stars.mean()) ** 2)))
    assert als.errors is not None
    assert biases.errors is not None
    assert als.predictor.model.user_factors.shape[1] == 2
    assert biases.predictor.model.user_factors.shape[1] == 0
    counts = popularity.predictor.model.scores(np.array([0]))[0]
    assert counts.tolist() == np.bincount(training.item, minlength=training.n_items).tolist()


def test_a_hit_is_a_held_out_rating_of_the_threshold_or_more(file: Path) -> None:
    training, held_out = split(file)
    hits = Trial(training, held_out, PARAMS, 5, Fraction(4)).hits
    assert len(hits) == int((held_out.value >= 2).sum())
    assert hits.value.min() == 2


def test_nothing_held_out_is_refused(file: Path) -> None:
    training, held_out = split(file)
    with pytest.raises(RangeError, match="must be at least one"):
        Trial(training, held_out.restricted(held_out.value > 99), PARAMS, 5, Fraction(4))


# -- sweep -----------------------------------------------------------------------------------------


def test_a_sweep_is_every_combination() -> None:
    found = sweep.choices(PARAMS, ["ridge=6,0.5", "rank=1, 3"])
    assert [one.values for one in found] == [
        {"ridge": "6", "rank": "1"},
        {"ridge": "6", "rank": "3"},
        {"ridge": "0.5", "rank": "1"},
        {"ridge": "0.5", "rank": "3"},
    ]
    assert found[3].params == replace(PARAMS, ridge=Fraction(1, 2), rank=3)
    assert [one.params for one in sweep.choices(PARAMS, [])] == [PARAMS]


def test_a_sweep_trains_without_the_ratings_set_aside_and_sorts_by_error(file: Path) -> None:
    training, _ = split(file)
    told: list[int] = []
    found = sweep.run(
        sweep.choices(PARAMS, ["ridge=1,12,100"]),
        training,
        secure_seconds=lambda params: float(params.ridge),
        on_iteration=told.append,
    )
    assert [one.errors.rmse for one in found] == sorted(one.errors.rmse for one in found)
    assert told == [*range(1, 10)]
    fit, aside = split_holdout(training, "sweep")
    for one in found:
        params = one.choice.params
        model = predictors.private(fixed.train(fit, params), fit).model
        off = model.predict(aside, params) - (3 + aside.value / 2)
        assert one.errors.rmse == pytest.approx(np.sqrt(np.mean(off**2)))
        assert one.secure_seconds == params.ridge


# -- the command -----------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_model(file: Path, capsys: Capture) -> None:
    command = ["evaluate", str(file), "--rank", "2", "--iterations", "3", "--k", "5"]
    assert main.main([*command, "--sweep", "ridge=6,24"]) == 0
    out = capsys.readouterr().out
    for text in ("private", "ALS, ridge", "biases alone", "mean of all", "NDCG@5", "1 in 10"):
        assert text in out
    assert "Sets by their error" in out
    assert "secure training, rlwe-8192" in out
    assert "The secure training takes about" in out


def test_the_json_has_stable_names(file: Path, capsys: Capture) -> None:
    found = evaluation(capsys, file, "--hold-out", "1/4", "--label", "x", "--relevant", "3.5")
    assert found["format"] == "ppmf-evaluation/1"
    assert found["split"] == {"label": "x", "part": 1, "of": 4}
    whole = quantise(ratings.read(file), PARAMS)
    training, held_out = split_holdout(whole, "x", of=4)
    assert (found["training_ratings"], found["held_out_ratings"]) == (len(training), len(held_out))
    assert (found["users"], found["items"], found["k"]) == (30, 25, 10)
    assert found["relevant"] == "3.5"
    assert found["sweep"] is None
    assert [one["name"] for one in found["models"]] == MODELS
    private, *_, mean, popularity = found["models"]
    model = predictors.private(fixed.train(training, PARAMS), training)
    expected = Trial(training, held_out, PARAMS, 10, Fraction("3.5")).judge(model)
    assert private == {"name": "private", "about": "private", **expected.as_dict()}
    assert mean["ndcg"] is popularity["rmse"] is None
    assert set(private) == set(mean)


def test_the_best_set_of_a_sweep_is_the_one_that_is_evaluated(file: Path, capsys: Capture) -> None:
    found = evaluation(capsys, file, "--sweep", "ridge=1,24", "--sweep", "rank=1,2")
    tried = found["sweep"]
    assert len(tried) == 4
    assert [one["rmse"] for one in tried] == sorted(one["rmse"] for one in tried)
    best = tried[0]["values"]
    assert found["parameters"]["ridge"] == best["ridge"]
    assert found["parameters"]["rank"] == int(best["rank"])
    assert all(one["secure_seconds"] > 0 for one in tried)


def test_the_scale_decides_what_is_relevant_unless_said(
    file: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert evaluation(capsys, file)["relevant"] == "4"
    wide = tmp_path / "P.toml"
    wide.write_text("rating_max = 10\n")
    assert evaluation(capsys, file, "--params", str(wide))["relevant"] == "8"


def test_the_secure_engine_trains_with_three_parties(
    file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def train(training: Ratings, params: Parameters, **by: object) -> processes.RunResult:
        asked.append(by["suite"])
        return processes.RunResult(fixed.train(training, params), ())

    monkeypatch.setattr(processes, "train", train)
    oracle = evaluation(capsys, file)
    assert asked == []
    secure = evaluation(capsys, file, "--engine", "secure", "--suite", "paillier-3072")
    assert asked == ["paillier-3072"]
    assert secure["models"] == oracle["models"]
    assert secure["engine"] == "secure"


def test_the_figure_is_drawn(file: Path, tmp_path: Path, capsys: Capture) -> None:
    figure = tmp_path / "figure.svg"
    evaluation(capsys, file, "--plot", str(figure), "--sweep", "ridge=6,24")
    assert b"<svg" in figure.read_bytes()


def test_without_matplotlib_a_figure_is_refused_before_anything_is_trained(
    file: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed, "train", None)
    for name in [one for one in sys.modules if one.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "ppmf.evaluation.plots", raising=False)
    monkeypatch.delattr(evaluation_package, "plots", raising=False)
    line = line_of(capsys, [str(file), "--plot", str(tmp_path / "figure.svg")])
    assert "needs matplotlib, which is not installed: pip install 'ppmf[plots]'" in line


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--hold-out", "0/10"], "--hold-out '0/10': not a part such as 1/10"),
        (["--hold-out", "1"], "not a part such as 1/10"),
        (["--hold-out", "2/2"], "not a part such as 1/10"),
        (["--relevant", "6"], "--relevant 6: off the scale from 0.5 to 5"),
        (["--relevant", "good"], "--relevant is not a plain decimal number"),
        (["--k", "0"], "--k"),
        (["--sweep", "ridge"], "--sweep 'ridge': not NAME=VALUE"),
        (["--sweep", "rating_max=5,10"], "not NAME=VALUE,VALUE,... with one of rank, iterations"),
        (["--sweep", "rank=2,x"], "--sweep rank: 'x' is not an integer"),
        (["--sweep", "ridge=2,x"], "--sweep ridge: a value is not a plain decimal number"),
        (["--sweep", "rank=2", "--sweep", "rank=3"], "--sweep rank: given twice"),
        (["--sweep", "rank=0"], "rank = 0"),
        (["--sweep", "frac_bits=12,24"], "bits"),
        (["--plot", "figure.doc"], "figure.doc: a figure's name ends in one of ."),
        (["--suite", "paillier-3"], "paillier-3"),
    ],
)
def test_bad_options_are_one_line_before_anything_is_trained(
    arguments: list[str],
    what: str,
    file: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fixed, "train", None)
    assert what in line_of(capsys, [str(file), *arguments])


def test_evaluate_reads_what_train_reads(file: Path, tmp_path: Path, capsys: Capture) -> None:
    expected = evaluation(capsys, file)
    table = tmp_path / "r.txt"
    lines = file.read_text().splitlines()
    renamed = ["wer;was;wie", *(line.replace(",", ";") for line in lines[1:])]
    user, item, stars = renamed[-1].split(";")
    renamed[-1:] = [f"{user};{item};5", f"{user};{item};{float(stars) - 0.25}"]
    table.write_text("".join(f"{line}\n" for line in renamed))
    options = ["--columns", "user=wer,item=was,rating=wie", "--separator", "semicolon"]
    found = evaluation(capsys, table, *options, "--duplicates", "last", "--round")
    assert found["models"] == expected["models"]
    assert "rates the item twice" in line_of(capsys, [str(table), *options, "--round"])
    assert "not on the grid" in line_of(capsys, [str(table), *options, "--duplicates", "last"])
