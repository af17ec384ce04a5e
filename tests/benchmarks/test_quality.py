"""Seeds that are trained, interrupted, taken up again and stored."""

import json
import os
import signal
import subprocess
import sys

import pytest
import quality
import quality_training
import recipes
from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import train
from tests.benchmarks.conftest import BENCHMARKS, result

ROOT = BENCHMARKS.parent
TINY = [
    "--problem=translate_ende_multi30k",
    "--model=transformer_tiny",
    "--hparams=hidden_size=16,filter_size=32,num_heads=2,num_hidden_layers=1,"
    "batch_size=128,max_shapes=1,vocab_kind=byte",
    "--train_steps=400",
    "--eval_interval=200",
    "--log_interval=10",
    "--eval_decode_examples=2",
    "--decode_hparams=beam_size=1,extra_length=2",
    "--average_last=0",
    "--noexport",
]
DRIVER = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import recipes
recipes.RECIPES["tiny"] = {TINY!r}
import quality
quality.main()
"""


def _seed(work, seed=1, flags=TINY):
    return quality_training.Seed("tiny", flags, seed, work)


@pytest.fixture
def source(tmp_path):
    """A few pairs in files named as upstream's."""
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for name, count in (("train", 60), ("val", 3), ("test_2016_flickr", 3)):
        for language in ("en", "de"):
            lines = [f"{language} {name[:2]} {i}\n" for i in range(count)]
            (folder / f"{name}.{language}").write_text("".join(lines))
    return folder


def test_what_is_stored_names_no_folder_of_this_machine(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for work in (tmp_path / "works", here / "work"):
        seed = quality_training.Seed("tiny", TINY, 1, work, tmp_path / "files")
        paths = [str(work), os.path.relpath(work), str(tmp_path / "files")]
        lines = [f"a {path}/tiny/seed1 network/x" for path in paths]
        assert seed.without_places("\n".join(lines)).splitlines() == [
            "a tiny/seed1 network/x",
            "a tiny/seed1 network/x",
            "a files/tiny/seed1 network/x",
        ]


def _start(tmp_path, *arguments):
    return subprocess.Popen(
        [
            *(sys.executable, "-c", DRIVER, *arguments),
            f"--results={tmp_path / 'docs' / 'quality'}",
            f"--page={tmp_path / 'docs' / 'results.md'}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def _stop_in_training(process):
    for line in process.stdout:
        if line.startswith("step "):
            process.send_signal(signal.SIGTERM)
            break
    output, error = process.communicate()
    assert process.returncode == 143, error
    assert "the same command goes on from there" in output
    assert "status 143, its last lines say why; the same command" in error


def test_an_interrupted_seed_goes_on_and_is_stored(source, tmp_path):
    command = [
        *("--recipe=tiny", "--seeds=7", f"--source_dir={source}"),
        f"--work_dir={tmp_path / 'work'}",
    ]
    _stop_in_training(_start(tmp_path, *command))
    process = _start(tmp_path, *command)
    output, error = process.communicate()
    assert process.returncode == 0, error
    assert "resumed from" in output
    folder = tmp_path / "docs" / "quality" / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves.png",
        "seed7.json",
        "seed7.metrics.jsonl",
        "seed7.outputs.txt",
    ]
    stored = json.loads((folder / "seed7.json").read_text())
    _check_stored(stored, tmp_path)
    page = (tmp_path / "docs" / "results.md").read_text()
    assert "[7](quality/tiny/seed7.json)" in page
    again = _start(tmp_path, *command)
    output, error = again.communicate()
    assert (again.returncode, error) == (0, "")
    assert output.startswith("tiny, seed 7: stored already\n")
    assert (tmp_path / "docs" / "results.md").read_text() == page


def _check_stored(stored, tmp_path):
    run = tmp_path / "work" / "tiny" / "seed7"
    results = json.loads((run / "results.json").read_text())
    assert stored["flags"] == TINY
    assert (stored["seed"], stored["updates"]) == (7, 400)
    assert stored["command"].endswith(
        " --noexport --seed=7 --source_dir=multi30k "
        "--output_dir=runs/tiny/seed7 --data_dir=data"
    )
    assert str(tmp_path) not in json.dumps(stored)
    assert stored["data_hash"] == results["data_hash"]
    assert stored["parameters"] == results["parameters"]
    assert stored["scores"]["problem"] == results["test"]
    assert stored["scores"]["cased"]["bleu"] == results["test"]["bleu"]
    assert "case:lc" in stored["scores"]["lowercase"]["bleu_signature"]
    assert stored["scores"]["cased"]["bleu_ci"]
    # 400 updates of up to 128 tokens each.
    assert 400 < stored["target_tokens"] <= 400 * 128
    assert len(stored["starts"]) == 2
    seconds = [start["seconds"] for start in stored["starts"]]
    assert all(s > 0 for s in seconds)
    if sys.platform == "linux":
        for start in stored["starts"]:
            cores = start["machine"]["cores"]
            assert 1 < start["cpu_seconds"] <= 1.1 * cores * start["seconds"]
    assert stored["seconds"] == pytest.approx(sum(seconds))
    assert stored["starts"][0]["machine"]["cores"] >= 1


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_recipes_are_flags_of_the_trainer(name):
    values = flags.FlagValues()
    train._define(values)
    assert values(["t2t_lite_trainer", *recipes.RECIPES[name]])[1:] == []
    assert values.problem
    assert values.model
    own = ("seed", "output_dir", "data_dir", "source_dir")
    for flag in recipes.RECIPES[name]:
        assert not flag.startswith(tuple(f"--{word}=" for word in own))


def test_starts_are_added_up(tmp_path, monkeypatch):
    clock = iter([10.0, 10.0, 12.0, 100.0, 100.0, 103.5])
    monkeypatch.setattr(quality_training.time, "monotonic", lambda: next(clock))
    for _ in range(2):
        starts = quality_training.Starts(_seed(tmp_path))
        (tmp_path / "tiny").mkdir(exist_ok=True)
        starts.begin()
        starts.end()
    rows = quality_training.Starts(_seed(tmp_path)).rows
    assert [row["seconds"] for row in rows] == [2.0, 3.5]
    assert all(set(row) == set(starts.rows[0]) for row in rows)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_time_is_the_processors(tmp_path):
    before = quality_training._cpu_seconds(os.getpid())
    while sum(os.times()[:2]) < before + 0.5:
        pass
    passed = quality_training._cpu_seconds(os.getpid()) - before
    assert 0.4 < passed < 5
    assert quality_training._cpu_seconds(None) is None


def test_time_is_noted_while_it_passes(tmp_path, monkeypatch):
    times = [0.0, 0.0, 3.0, 7.0, 7.0, 8.0]
    monkeypatch.setattr(
        quality_training.time, "monotonic", lambda: times.pop(0)
    )
    (tmp_path / "tiny").mkdir()
    starts = quality_training.Starts(_seed(tmp_path))
    starts.begin()
    for seconds in (0.0, 7.0, 7.0):  # at 3, 7 and 8 seconds
        starts.note()
        rows = quality_training.Starts(_seed(tmp_path)).rows
        assert rows[-1]["seconds"] == seconds


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ('{"flags": []}', "is damaged"),
        ('{"flags": [], "starts": [{}]}', "is damaged"),
        (
            '{"flags": ["--x=1"], "starts": []}',
            "with the flags --x=1; remove",
        ),
    ],
)
def test_a_journal_of_another_run_is_refused(tmp_path, content, message):
    (tmp_path / "tiny" / "seed1").mkdir(parents=True)
    (tmp_path / "tiny" / "seed1.starts.json").write_text(content)
    with pytest.raises(UserError, match=message):
        quality_training.train(_seed(tmp_path))


def test_a_run_without_a_journal_is_refused(tmp_path):
    (tmp_path / "tiny" / "seed1").mkdir(parents=True)
    with pytest.raises(UserError, match="nobody knows how long"):
        quality_training.train(_seed(tmp_path))


def test_a_journal_without_a_run_is_begun_anew(tmp_path):
    (tmp_path / "tiny").mkdir()
    old = {"flags": ["--x=1"], "starts": [{"seconds": 1.0}]}
    path = tmp_path / "tiny" / "seed1.starts.json"
    path.write_text(json.dumps(old))
    assert quality_training.Starts(_seed(tmp_path)).rows == []


def test_a_stored_seed_of_other_flags_is_refused(save, tmp_path):
    folder = save(result("tiny", 1, 40.0))
    with pytest.raises(UserError, match="made with other flags than tiny has"):
        quality.run_seed(_seed(tmp_path), folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe=multi30k_emaa"], "did you mean 'multi30k_ema'"),
        (["--recipe=multi30k_cased"], "--work_dir is missing"),
        (["--recipe=multi30k_cased", "--work_dir=w", "--seeds=1,x"], "--seeds"),
        (["--recipe=multi30k_cased", "--work_dir=w", "--seeds=1,1"], "--seeds"),
        (
            [
                "--recipe=multi30k_cased",
                "--work_dir=w",
                "--source_dir=nowhere",
            ],
            "--source_dir=nowhere: no folder is here",
        ),
        ([], "give --recipe to train, or --report"),
        (["--report", "--recipe=x"], "give --recipe to train, or --report"),
    ],
)
def test_mistakes_are_one_line(monkeypatch, capsys, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quality.py", *words])
    with pytest.raises(SystemExit) as stop:
        quality.main()
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_the_checkout_and_the_machine_are_known():
    found = quality_training.checkout()
    assert set(found) == {"commit", "dirty"}
    assert quality_training.machine()["cores"] >= 1
