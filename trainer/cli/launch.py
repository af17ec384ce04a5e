"""t2t_lite_launch: starts the workers of one run on this machine.

Exit status: 0 once all workers have ended well; else that of the first one
that failed, 128 + its number where a signal ended it.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command
from t2t_lite.trainer.cli.workers import Workers
from t2t_lite.trainer.roll_call import free_ports

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Starts several workers of one run on this machine, each with its place "
    "in TF_CONFIG and its share of the GPUs, and shows their output with the "
    "worker's number before each line. Where one fails, the others end too."
)
EXAMPLES = (
    "t2t_lite_launch --num_workers=2 -- t2t_lite_trainer "
    "--problem=translate_ende_phrasebook --model=transformer_tiny",
)
_HOW = (
    "write the command after --, as in t2t_lite_launch --num_workers=2 -- "
    "t2t_lite_trainer --problem=NAME"
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer(
        "num_workers",
        2,
        "Processes to start.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "grace_seconds",
        30.0,
        "How long the others may go on after one has failed, before they are "
        "made to end.",
        lower_bound=0.0,
        flag_values=values,
    )


def launch(values: flags.FlagValues, words: list[str]) -> int:
    """Runs the command; returns its exit status."""
    count = values.num_workers
    line = _command_line(words)
    shares = _gpu_shares(_gpus(os.environ), count)
    environments = [
        {**os.environ, "PYTHONUNBUFFERED": "1", **place, **share}
        for place, share in zip(_places(count), shares, strict=True)
    ]
    return Workers(line, environments, values.grace_seconds).run()


def _command_line(words: Sequence[str]) -> list[str]:
    """Finds the program, and gives the trainer its strategy.

    Raises:
        UserError: no or an unknown program, or the trainer's strategy is one
            with which each process would train alone.
    """
    if not words:
        raise UserError(f"no command to start: {_HOW}")
    if words[0].startswith("-"):
        raise UserError(f"{words[0]} is no command: {_HOW}")
    # Where the environment that holds the commands is not activated.
    beside = os.path.dirname(sys.executable)
    program = shutil.which(words[0]) or shutil.which(words[0], path=beside)
    if program is None:
        raise UserError(
            f"no such command: {words[0]!r}; check its name, or give its path"
        )
    line = [program, *words[1:]]
    if not any(_is_trainer(word) for word in words):
        return line
    given = _strategy(words)
    if given is None:
        _say("adding --strategy=multi_worker to the command")
        return [*line, "--strategy=multi_worker"]
    if given != "multi_worker":
        raise UserError(
            f"--strategy={given}: each worker would train alone, in one and "
            "the same folder; leave it out, or give multi_worker"
        )
    return line


def _is_trainer(word: str) -> bool:
    if word.startswith("-"):
        return False
    name = os.path.basename(word)
    return name == "t2t_lite_trainer" or word.replace("/", ".").endswith(
        ("trainer.cli.train", "trainer.cli.train.py")
    )


def _strategy(words: Sequence[str]) -> str | None:
    """Returns the value of --strategy, the last one as absl takes it."""
    value = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        found = re.fullmatch(r"--?strategy(?:=(.*))?", word)
        if found:
            value = following if found[1] is None else found[1]
    return value


def _places(count: int) -> list[dict[str, str]]:
    """Returns TF_CONFIG for each worker, on ports that are free now."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    cluster = {"worker": addresses}
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": i}}
            )
        }
        for i in range(count)
    ]


def _gpus(environment: Mapping[str, str]) -> list[str]:
    """Returns the GPUs that this process may use, as CUDA names them."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        found = glob.glob("/dev/nvidia[0-9]*")
        return [str(index) for index in range(len(found))]
    # CUDA reads up to the first one that does not exist.
    names = [name.strip() for name in visible.split(",")]
    end = names.index("-1") if "-1" in names else len(names)
    return [name for name in names[:end] if name]


def _gpu_shares(gpus: Sequence[str], count: int) -> list[dict[str, str]]:
    """Returns CUDA_VISIBLE_DEVICES for each worker, all as many.

    Raises:
        UserError: there are GPUs, but not one for each worker.
    """
    if not gpus:
        return [{}] * count
    each = len(gpus) // count
    if not each:
        raise UserError(
            f"--num_workers={count}: only {len(gpus)} GPUs; start as many "
            "workers, or set CUDA_VISIBLE_DEVICES=-1 to train on the CPU"
        )
    return [
        {"CUDA_VISIBLE_DEVICES": ",".join(gpus[i * each : (i + 1) * each])}
        for i in range(count)
    ]


def _say(line: str) -> None:
    print(f"t2t_lite_launch: {line}", file=sys.stderr, flush=True)


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(
        launch,
        FLAGS,
        DESCRIPTION,
        EXAMPLES,
        tensorflow=False,
        takes_command=True,
    )


if __name__ == "__main__":
    main()
