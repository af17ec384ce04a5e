"""The arithmetic of the scripts, without measuring anything."""

import itertools
import json
import subprocess

import numpy as np
import pytest


def test_windows_are_taken_in_turn_and_the_first_warms_up():
    import measuring

    calls = []

    def run(name):
        calls.append(name)
        return len(calls)

    found = measuring.windows_in_turn(
        {name: lambda name=name: run(name) for name in "ab"}, 2
    )
    assert calls == list("ababab")
    assert found == {"a": [3, 5], "b": [4, 6]}


def test_spread_is_of_rates():
    import measuring

    rates = measuring.spread(12, [4.0, 2.0, 3.0])
    assert rates == {"median": 4.0, "least": 3.0, "most": 6.0}
    assert measuring.text_of(rates) == "4 (3 to 6)"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("raise ValueError('no such model')", "ValueError: no such model"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
def test_a_contender_that_could_not_be_built_says_why(tmp_path, end, reason):
    import measuring

    script = tmp_path / "peer.py"
    script.write_text(
        f"import os, signal, sys\nprint('built', file=sys.stderr)\n{end}\n"
    )
    contender = measuring.Contender("peer", str(script))
    assert contender.facts is None
    assert contender.why_not() == reason


def test_report_says_where_it_comes_from(tmp_path, monkeypatch):
    import measuring

    path = tmp_path / "new" / "report.json"
    given = ["x/speed.py", "--run=/a/b/run", "--file", "/c/d.txt", "here/e"]
    monkeypatch.setattr("sys.argv", given)
    measuring.write_report(path, {"rows": [1]})
    report = json.loads(path.read_text())
    assert report["rows"] == [1]
    assert {"command", "commit", "machine", "date"} <= set(report["made_by"])
    command = report["made_by"]["command"]
    assert command == "speed.py --run=run --file d.txt here/e"


def test_fit_finds_the_power():
    import scaling

    rows = [
        {"batch": x, "target_tokens_per_second": {"median": 7 * x**0.5}}
        for x in (1, 10, 100)
    ]
    found = scaling.fit("batch", rows)
    assert found["exponent"] == 0.5
    assert found["largest_miss"] == pytest.approx(1)
    assert scaling.fit("batch", rows[:1])["exponent"] is None


def test_local_attention_is_compared_window_by_window():
    import local_attention

    found = local_attention.row(8, {"local": [1.0, 9.0], "full": [4.0, 12.0]})
    assert found["ratio"] == {"median": 0.5, "least": 0.25, "most": 0.75}
    assert found["milliseconds"]["full"]["median"] == 8000.0
    rows = [
        local_attention.row(n, {"local": [2.0 * n], "full": [n**1.5]})
        for n in (16, 64, 256)
    ]
    assert local_attention.exponent(rows, "local") == 1.0
    assert local_attention.exponent(rows, "full") == 1.5
    assert local_attention.exponent(rows[:1], "full") is None


def test_points_that_do_not_fit_are_left_out_and_said(monkeypatch, capsys):
    import scaling

    monkeypatch.setattr(scaling, "free_bytes", lambda: 24e9)
    points = [("tiny", 8, 32), ("big", 256, 32), ("big", 4096, 32)]
    assert scaling.fitting(points, 8192) == points[:2]
    assert "left out big 4096 x 32: it needs about" in capsys.readouterr().out
    big = scaling.needed_bytes(scaling.shape_of("big", 256, 32, 8192))
    assert big < 0.8 * 24e9


def test_every_point_of_a_sweep_has_the_same_other_sizes():
    import scaling

    for quick in (False, True):
        for sweep in scaling.sweeps(quick):
            models = {point[0] for point in sweep.points}
            lengths = {point[2] for point in sweep.points}
            batches = {point[1] * point[2] for point in sweep.points}
            sizes = {"model": models, "length": lengths, "batch": batches}
            assert len(sizes.pop(sweep.varied)) == len(sweep.points)
            assert all(len(values) == 1 for values in sizes.values())


def test_scaling_draws_what_it_measured(tmp_path):
    import scaling

    rates = {"median": 2.0, "least": 1.0, "most": 3.0}
    rows = [
        {"model": "tiny", "batch": x, "target_tokens_per_second": rates}
        for x in (1, 2)
    ]
    sweep = {"varied": "batch", "rows": rows, "exponent": 0.0}
    path = tmp_path / "scaling.png"
    scaling.plot([sweep], str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("shapes", [1, 2, 3])
def test_no_choice_of_shapes_leaves_less_than_the_bound(shapes):
    import padding

    rng = np.random.default_rng(0)
    sides = {name: rng.integers(1, 6, 60) for name in ("inputs", "targets")}
    first, second = sides["inputs"], sides["targets"]
    grid = list(itertools.product(range(1, 6), repeat=2))
    least = np.inf
    for others in itertools.combinations(grid[:-1], shapes - 1):
        sizes = [
            np.where((first <= i) & (second <= j), i + j, np.inf)
            for i, j in (*others, grid[-1])
        ]
        least = min(least, np.min(sizes, axis=0).sum())
    true = 1 - (first + second).sum() / least
    bound = padding.least_padding(sides, shapes)
    assert true - 0.02 < bound <= true + 1e-9


def test_ours_are_compared_as_the_trainer_trains():
    """Each precision with the lanes that auto takes, and one with one."""
    import contenders

    rows = [name for name in contenders.CONTENDERS if "t2t_lite" in name]
    assert "t2t_lite float32" in rows
    assert "t2t_lite float32 lanes=1" in rows
    build, _, _ = contenders.CONTENDERS["t2t_lite float32"]
    assert build.__defaults__ == ("auto", None)


def test_lanes_cannot_be_set_once_tensorflow_has_computed():
    """Else a contender would train with other threads than it says."""
    import sys

    import measuring

    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import tensorflow as tf, contenders\n"
        "tf.zeros(1) + 1\n"
        "contenders.our_step(contenders.SHAPES['tiny'], 'float32', False, '3')"
    )
    folder = str(measuring.RESULTS.parents[2] / "benchmarks")
    finished = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True
    )
    assert finished.returncode == 1
    assert "has computed something before" in finished.stderr


def test_scaling_sets_its_threads_before_it_tries_precisions():
    import sys

    import measuring

    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import scaling\n"
        "from t2t_lite.trainer import strategies\n"
        "strategies.bfloat16_unit = lambda: 'AMX'\n"
        "scaling.serve('tiny', 1000)"
    )
    folder = str(measuring.RESULTS.parents[2] / "benchmarks")
    finished = subprocess.run(
        [sys.executable, "-c", code, folder],
        input="",
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert '"precision"' in finished.stdout


def test_agreement_is_of_scores_and_of_lines():
    import agreement

    def row(name, asked, bleu, same):
        scores = {"bleu": bleu, "bleu_signature": "s"}
        fields = {"asked": asked, "same": same, "lines": 200}
        return {"name": name, "scores": scores, **fields}

    found = {
        "metric": "bleu",
        "rows": [
            row("model", False, 40.0, 200),
            row("good", True, 39.91, 194),
            row("better by chance", True, 40.11, 200),
            row("other lines", True, 40.0, 193),
            row("not asked", False, 30.0, 0),
        ],
    }
    missed = agreement.failures(found, most_lost=0.1, least_same=97.0)
    assert [line.split(":")[0] for line in missed] == [
        "better by chance",
        "other lines",
    ]
    assert "0.11 away" in missed[0]
    assert "96.5% of the lines" in missed[1]
