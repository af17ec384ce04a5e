"""The load generator: its arithmetic, its flags, and a second of load."""

import argparse
import json
import os
import time

import numpy as np
import pytest
import serving
import serving_flags
import serving_load as loads
import serving_process
import serving_report

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import clients
from tests.serving.test_batching import EXAMPLES


def load_of(calls, timeout=60.0, watch=lambda seconds, outcomes: None):
    return loads.Load(calls, serving.kind, timeout, watch)


def test_arrivals_are_a_poisson_process_of_the_seed():
    moments = loads.arrivals(50.0, 40.0, seed=3)
    assert moments == loads.arrivals(50.0, 40.0, seed=3)
    assert moments != loads.arrivals(50.0, 40.0, seed=4)
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 40
    gaps = np.diff(moments)
    assert len(moments) == pytest.approx(2000, rel=0.1)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)


def test_latency_counts_from_when_a_request_was_due():
    seen = []

    def call(index):
        seen.append(index)
        time.sleep(0.05)

    outcomes = load_of([call]).open([0.0, 0.0, 0.0])
    assert seen == [0, 1, 2]
    for place, outcome in enumerate(outcomes, 1):
        assert outcome.latency >= 0.05 * place
        assert outcome.waited >= 0.05 * (place - 1)
        assert outcome.error == ""


def test_what_is_unsent_for_too_long_is_late():
    def call(index):
        time.sleep(0.1)

    outcomes = load_of([call], timeout=0.05).open([0.0, 0.0])
    assert [outcome.error for outcome in outcomes] == ["", "late"]


def test_closed_loops_send_one_after_the_other():
    seen = []
    watched = []
    outcomes = load_of(
        [seen.append, seen.append],
        watch=lambda seconds, found: watched.append(len(found)),
    ).closed(0.1)
    assert sorted(seen) == list(range(len(outcomes)))
    assert watched[-1] == len(outcomes)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (clients.LateError("x"), "late"),
        (clients.NotReadyError("x"), "not ready"),
        (clients.ServerError("x"), "failed"),
        (UserError("x"), "refused"),
    ],
)
def test_errors_are_counted_by_kind(error, name):
    def call(index):
        if index == 1:
            raise error

    outcomes = load_of([call]).open([0.0, 0.0])
    assert [outcome.error for outcome in outcomes] == ["", name]


def test_a_bug_is_not_counted_but_raised():
    def call(index):
        raise ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError, match="bug"):
        load_of([call]).open([0.0])


def test_summary_holds_percentiles_of_what_was_served():
    outcomes = [
        loads.Outcome(due=0.0, waited=0.0, latency=0.001 * ms)
        for ms in range(1, 101)
    ]
    outcomes.append(loads.Outcome(0.0, 0.0, 2.0, "late"))
    outcomes.append(loads.Outcome(0.0, 0.0, 0.0, "refused"))
    found = loads.summary(outcomes)
    assert (found["sent"], found["answered"]) == (102, 100)
    assert found["per_second"] == pytest.approx(50)
    assert found["errors"] == {"late": 1, "refused": 1}
    assert found["ms"]["p50"] == pytest.approx(51)
    assert found["ms"]["p99"] == pytest.approx(100)
    assert found["ms"]["max"] == pytest.approx(2000)
    nothing = loads.summary([])
    assert (nothing["per_second"], nothing["ms"]["max"]) == (0.0, None)


def test_growth_is_after_the_warm_up():
    warm = [(second, 100.0 + 40 * min(second, 8)) for second in range(100)]
    assert serving_process.growth(warm) == 0
    leaking = [(second, 100.0 + second) for second in range(100)]
    assert serving_process.growth(leaking) == pytest.approx(80, abs=1)
    assert serving_process.growth(warm[:9]) is None


def test_memory_of_a_process():
    memory = serving_process.Memory(os.getpid(), 0.01)
    time.sleep(0.1)
    found = memory.end()
    assert len(memory.samples) > 1
    assert all(mib > 10 for mib in found.values())
    assert serving_process.Memory(None).end()["begin"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of --server and --model_dir"),
        (["--server=a:1", "--model_dir=b"], "give one of --server and"),
        (["--server=a:1", "--seconds=0"], "expected a number above 0, got '0'"),
        (["--server=a:1", "--rates=1,x"], "expected a number above 0, got 'x'"),
        (["--server=a:1", "--load=nan"], "a number above 0, got 'nan'"),
        (["--server=a:1", "--clients=1.5"], "whole number of at least 1, got"),
        (
            ["--server=a:1", "--rates=1", "--load=1"],
            "one of --rates and --load",
        ),
        (["--server=a:1", "--minutes=1", "--load=1,2"], "--minutes: give one"),
        (["--server=a:1", "--input_format=jsonl"], "jsonl: needs --file"),
        (["--server=a:1", "--pid=999999999"], "no such process"),
        (["--model_dir=a", "--pid=1"], "--pid: only with --server"),
        (["--server=http://a"], "--server=http://a: gRPC takes host:port"),
        (
            ["--server=a:1", "--report=/no/such/x"],
            "there is no folder /no/such",
        ),
        (["--server=a:1", "--rate=1"], "unrecognized arguments: --rate=1"),
        (
            ["--server=a:1", "--batching_parameters_file=x"],
            "only with --model_dir",
        ),
    ],
)
def test_wrong_flags_are_named(capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        serving_flags.parse("", arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert said in error
    assert error.count("\n") == 1


def test_a_soak_has_one_load():
    args = serving_flags.parse("", ["--server=a:1", "--minutes=2"])
    assert args.load == [0.8]


@pytest.fixture
def bench(capsys):
    """Runs the script; returns (status, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            serving.main(arguments)
        return stop.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_nobody_listens(bench, protocol):
    status, _, error = bench("--server=127.0.0.1:9", f"--protocol={protocol}")
    assert status == 1
    assert error == (
        "serving.py: cannot reach 127.0.0.1:9; check --server and --protocol, "
        "and that the server runs\n"
    )


def test_no_model(bench, tmp_path):
    status, _, error = bench(f"--model_dir={tmp_path}")
    assert status == 1
    assert error.startswith(
        f"serving.py: the server did not start: --model_dir={tmp_path}: no "
        "SavedModel there"
    )
    assert error.count("\n") == 1


def test_loads_of_a_capacity(bench, translator_export, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_report, "_SHOWN", 0.3)
    status, out, error = bench(
        f"--model_dir={translator_export}",
        f"--batching_parameters_file={EXAMPLES}/batching_parameters.txt",
        "--clients=2",
        "--capacity_seconds=1",
        "--load=0.2,0.4",
        "--seconds=2",
        "--sentences=2",
        "--timeout=60",
        f"--report={tmp_path}/report.json",
        f"--plot={tmp_path}/latency.png",
    )
    assert status == 0, error
    lines = out.splitlines()
    head = next(line for line in lines if line.startswith("load "))
    table = lines[lines.index(head) :][:4]
    assert len({len(line) for line in table}) == 1
    assert [line.split("  ")[0] for line in table] == [
        "load",
        "closed, 2 clients",
        "20% of it",
        "40% of it",
    ]
    assert "minutes left" in error
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["stages"]) == 3
    for stage in report["stages"]:
        assert stage["found"]["errors"] == {}
        assert stage["found"]["mib"]["end"] > 50
    assert report["made_by"]["machine"]
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG")


def test_a_short_soak_over_rest_of_lines_with_wishes(
    bench, translator_export, tmp_path
):
    lines = tmp_path / "lines.jsonl"
    lines.write_text(
        '{"inputs": "one two", "beam_size": 2}\n'
        '{"inputs": "red dog", "required": ["new"]}\n'
    )
    status, out, error = bench(
        f"--model_dir={translator_export}",
        "--protocol=rest",
        f"--file={lines}",
        "--input_format=jsonl",
        "--rates=4",
        "--minutes=0.04",
        "--timeout=60",
        "--max_growth=2000",
    )
    assert status == 0, error
    assert "0 errors; memory changed by " in out
    assert out.splitlines()[-1].endswith("at most 2000 allowed: passed")


@pytest.mark.parametrize(
    ("errors", "samples", "status"),
    [
        ({}, [(s, 100.0) for s in range(99)], 0),
        ({"late": 1}, [(s, 100.0) for s in range(99)], 1),
        ({}, [(s, 100.0 + s) for s in range(99)], 1),
        ({}, [], 0),
    ],
)
def test_a_soak_fails_at_an_error_or_a_leak(capsys, errors, samples, status):
    found = {"errors": errors, "sent": 5}
    stage = serving.Stage("80%", 2.0, found, samples)
    args = argparse.Namespace(minutes=1.0, max_growth=50.0)
    assert serving._soaked(stage, args) == status
    said = capsys.readouterr().out
    assert said.endswith("FAILED\n" if status else "passed\n")
