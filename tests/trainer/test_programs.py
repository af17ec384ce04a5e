"""A run compiles what it said it would, and no more."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from t2t_lite import trainer
from t2t_lite.data import BucketShape
from t2t_lite.trainer.programs import plan_programs
from tests.selection import few

ROOT = pathlib.Path(__file__).parents[2]
SHAPES = [BucketShape(21, 6, 6), BucketShape(16, 8, 8), BucketShape(11, 11, 11)]

# A run of two epochs in a process of its own, for XLA reads its flags once.
RUN = """
import json, pathlib, sys
from t2t_lite.trainer.training import Training
from tests.models_for_tests import tiny_hparams
from tests.trainer.conftest import make_setup

hparams, options = json.loads(sys.argv[2])
hparams = tiny_hparams(**{"max_shapes": 3, "batch_size": 128} | hparams)
setup = make_setup(
    pathlib.Path(sys.argv[1]), hparams,
    train_steps=72, eval_interval=36, **options
)
assert setup.batches.batches_per_epoch() <= 36
Training(setup).run()
step, programs = setup.step, setup.programs
print(json.dumps({
    "planned": [programs.gradients, programs.updates, programs.losses],
    "shapes": programs.batch_shapes,
    "traces": len(step._traced),
    "shells": step._whole.tracing_count(),
    "validation": setup.judge.loss._sums.experimental_get_tracing_count(),
}))
"""


def _run(folder, hparams, options):
    """Returns (what the run planned, what XLA compiled by name)."""
    dump = folder / "xla"
    flags = f"--xla_dump_to={dump} --xla_dump_hlo_as_text"
    finished = subprocess.run(
        [
            *(sys.executable, "-c", RUN, str(folder)),
            json.dumps([hparams, options]),
        ],
        env={
            **os.environ,
            "XLA_FLAGS": f"{flags} --xla_dump_hlo_pass_re=nothing",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    programs = list(dump.glob("*.cpu_after_optimizations.txt"))
    assert programs
    # Two lanes may run a program for the first time at once.
    assert not [p for p in programs if "ynn_fusion" in p.read_text()]
    names = [
        re.search(r"inference_+(.*?)_\d+__?[.X]", path.name)[1]
        for path in dump.glob("*.before_optimizations.txt")
    ]
    lines = finished.stdout.splitlines()
    return json.loads(lines[-1]), lines, collections.Counter(names)


@pytest.mark.parametrize(
    ("hparams", "options"),
    few(
        [
            ({"pack": True, "max_shapes": 2}, {"xla": "on"}),
            (
                {"rdrop_alpha": 1.0, "rdrop_start_step": 40},
                {"xla": "off", "lanes": "2"},
            ),
            ({}, {"xla": "on"}),
        ],
        always=(0, 1),
    ),
)
def test_a_run_compiles_what_it_said(tmp_path, hparams, options):
    found, lines, compiled = _run(tmp_path, hparams, options)
    gradients, updates, losses = found["planned"]
    assert found["shapes"] > 1 or "pack" in hparams
    assert compiled.pop("gradients_of", 0) == gradients
    assert compiled.pop("pure_update", 0) == updates
    assert compiled.total() == losses, compiled
    phases = 2 if "rdrop_start_step" in hparams else 1
    assert found["traces"] == phases
    assert found["validation"] == 1
    assert found["shells"] == phases
    (line,) = [line for line in lines if line.startswith("  programs ")]
    assert f"{gradients + updates + losses} XLA compilations" in line


def test_a_users_flag_is_kept():
    dump = "--xla_dump_to=folder"
    none = "--xla_cpu_experimental_ynn_fusion_type="
    assert trainer._leave_out_ynn("") == none
    assert trainer._leave_out_ynn(dump) == f"{dump} {none}"
    # What does not begin with dashes names a file, for XLA.
    for flags in (f"{dump} {none}", f"{none}reduce", "flags.txt"):
        assert trainer._leave_out_ynn(flags) == flags


def test_planned_programs_literal():
    found = plan_programs(SHAPES, [126, 128, 128], 1, xla=True)
    assert (found.gradients, found.updates, found.losses) == (3, 1, 2)
    assert str(found) == (
        "1 trace for 3 batch shapes, 1 for validation; 6 XLA compilations: "
        "3 gradients, 1 update, 2 loss alone"
    )
    # 66 = 11 x 6 = 6 x 11 target positions in a lane, and 64 = 8 x 8
    found = plan_programs(SHAPES, [66, 126], 2, xla=False)
    assert (found.gradients, found.updates, found.losses) == (0, 0, 3 + 2)
    found = plan_programs(SHAPES, [66, 126], 2, xla=False, passes=(2,))
    assert found.losses == 4 + 3 * 2
    assert str(found).endswith("10 XLA compilations: 10 loss alone")
