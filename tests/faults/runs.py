"""Small training runs that can be killed, and what is left of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.roll_call import free_ports

# All that makes an exact resume hard is on.
HPARAMS = (
    "hidden_size=32,filter_size=64,num_heads=2,num_hidden_layers=1,"
    "batch_size=512,max_shapes=2,max_length=32,vocab_kind=byte,"
    "accumulate_steps=2,layer_prepostprocess_dropout=0.2,"
    "attention_dropout=0.1,relu_dropout=0.1,learning_rate_warmup_steps=50"
)
FLAGS = (
    "--problem=algorithmic_reverse",
    "--model=transformer_tiny",
    f"--hparams={HPARAMS}",
    "--train_examples=2000",
    "--eval_examples=40",
    "--mixed_precision=bfloat16",
    "--eval_interval=20",
    "--log_interval=7",
    "--save_checkpoints_secs=1",
    "--keep_last=3",
    "--average_last=3",
    "--decode_hparams=beam_size=2,extra_length=4",
    "--early_stopping_metric=loss",
    "--early_stopping_patience=50",
)
_NOT_OF_THE_RUN = ("tokens_per_second",)


def train_command(folder: pathlib.Path, steps: int, *flags: str) -> list[str]:
    """Returns the trainer's command line for a run in `folder`."""
    return [
        sys.executable,
        "-m",
        "t2t_lite.trainer.cli.train",
        *FLAGS,
        f"--train_steps={steps}",
        f"--output_dir={folder / 'run'}",
        f"--data_dir={folder / 'data'}",
        *flags,
    ]


def datagen_command(folder: pathlib.Path) -> list[str]:
    """Returns the command line that prepares data in `folder`."""
    return [
        *(sys.executable, "-m", "t2t_lite.trainer.cli.datagen"),
        *("--problem=algorithmic_reverse", "--model=transformer_tiny"),
        *("--hparams=vocab_kind=unigram,vocab_size=300", "--num_shards=8"),
        *("--train_examples=40000", "--eval_examples=2000"),
        f"--data_dir={folder / 'data'}",
    ]


def export_command(folder: pathlib.Path, run: pathlib.Path) -> list[str]:
    """Returns the command line that exports a finished run to `folder`."""
    return [
        *(sys.executable, "-m", "t2t_lite.trainer.cli.export"),
        f"--output_dir={run}",
        f"--export_dir={folder / 'export'}",
    ]


@dataclasses.dataclass
class Processes:
    """The processes of one start of a run, by worker.

    Fields:
        running: one for each worker; their output goes to `log`.
        log: file of both output streams.
        started: time of the start, seconds.
    """

    running: list[subprocess.Popen]
    log: pathlib.Path
    started: float

    @classmethod
    def start(
        cls, command: list[str], workers: int, log: pathlib.Path
    ) -> Processes:
        """Starts a command once for each worker of a local cluster."""
        environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
        ports = free_ports(workers)
        running = []
        with open(log, "ab") as output:
            for index in range(workers):
                if workers > 1:
                    hosts = [f"127.0.0.1:{port}" for port in ports]
                    environment["TF_CONFIG"] = json.dumps(
                        {
                            "cluster": {"worker": hosts},
                            "task": {"type": "worker", "index": index},
                        }
                    )
                running.append(
                    subprocess.Popen(
                        command,
                        stdout=output,
                        stderr=output,
                        env=environment,
                    )
                )
        return cls(running, log, time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Waits for all to end; returns whether they did in time."""
        end = time.monotonic() + seconds
        for process in self.running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                return False
        return True

    def kill(self, index: int) -> None:
        """Kills one worker as a machine's failure would."""
        self.running[index].send_signal(signal.SIGKILL)
        self.running[index].wait()

    def kill_all(self) -> None:
        """Kills what still runs."""
        for index in range(len(self.running)):
            self.kill(index)

    @property
    def ended_well(self) -> bool:
        """Whether every worker ended with status 0."""
        return all(process.returncode == 0 for process in self.running)


def fingerprint(run: pathlib.Path) -> dict[str, str]:
    """Returns hashes of all in a finished run that must not differ.

    Every tensor of every checkpoint kept (weights, optimizer slots, averages),
    what is measured in metrics.jsonl, the results and the test's outputs.
    """
    found = {}
    for folder in sorted((run / "checkpoints").iterdir()):
        tensors = checkpoints.read(str(folder))[0]
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(name.encode() + tensors[name].tobytes())
        found[f"checkpoints/{folder.name}"] = digest.hexdigest()
    rows = []
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows.append({k: row[k] for k in row if k not in _NOT_OF_THE_RUN})
    results = json.loads((run / "results.json").read_text())
    del results["made_by"]
    for name, content in (("metrics", rows), ("results", results)):
        text = json.dumps(content, sort_keys=True)
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    outputs = (run / "test.outputs.txt").read_bytes()
    found["test outputs"] = hashlib.sha256(outputs).hexdigest()
    return found


def hashes(folder: pathlib.Path) -> dict[str, str]:
    """Returns the hash of each file below `folder`."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def exported(folder: pathlib.Path) -> dict[str, str]:
    """Returns the names in an export, with the hash of its weights."""
    found = hashes(folder)
    # The graph's text is not the same to the byte from process to process.
    return {
        name: value if "variables.data" in name else ""
        for name, value in found.items()
    }


def leftovers(folder: pathlib.Path) -> list[str]:
    """Returns the files that only an unfinished process would have left."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.endswith((".tmp", ".lock", ".partial"))
        or ".tmp-" in path.name
        or path.name.startswith("writing-")
        or path.name == "lock"
    )


def phase(log: pathlib.Path, start: int) -> str:
    """Returns what a killed start was doing, from its output.

    Args:
        log: the output of all starts.
        start: int, where this start's output begins.
    """
    text = log.read_bytes()[start:].decode("utf-8", "replace")
    if "SavedModel: " in text:
        return "after the end"
    if "training is over" in text:
        return "testing, exporting"
    if "step " in text and "/" in text:
        lines = [x for x in text.splitlines() if x.startswith("step ")]
        return "training" if lines else "starting"
    return "starting"
