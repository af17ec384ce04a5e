"""Native readers in a process of their own: one for many inputs.

    python -m tests.fuzz.child KIND FOLDER

Prints `number answer` for each input in turn, the answer being "ok",
"UserError message" or another exception's name. A parent sees by the last
number which input ended the process.
"""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from t2t_lite.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
# What an input may take beyond what the libraries themselves have taken.
MEMORY = 1 << 30
SENTENCES = ["the small dog", "", "\U0001f600 a\0b \u2581 x", "x" * 300]


def answers(kind: str, folder: str, count: int) -> list[str]:
    """Returns the answer to each input; fails if the process ended early.

    Args:
        kind: str, one of KINDS.
        folder: str, holds the inputs as the kind wants them.
        count: int, number of inputs.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", kind, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )
    lines = [
        line.split(" ", 1)
        for line in ended.stdout.splitlines()
        if line[:1].isdigit()
    ]
    assert ended.returncode == 0, (
        f"input {len(lines)} ended the process with {ended.returncode}: "
        f"{ended.stderr[-500:]}"
    )
    assert [int(number) for number, _ in lines] == list(range(count))
    return [answer for _, answer in lines]


def vocabulary(path: str) -> None:
    """Loads a vocabulary and tokenizes with it, in Python and in a graph."""
    import tensorflow as tf

    from t2t_lite.data.text_encoder import load_encoder

    encoder = load_encoder(path)
    rows = encoder.encode_batch(SENTENCES)
    encoder.decode_batch(rows)
    all_ids = list(range(min(encoder.vocab_size, 2000)))
    encoder.decode_batch([all_ids[2:]])
    graph = encoder.graph_tokenizer()
    pieces = graph.tokenize(tf.constant(SENTENCES))
    graph.detokenize(pieces.to_tensor())
    graph.detokenize(tf.constant([all_ids[2:]], tf.int32))


def checkpoint(folder: str) -> None:
    """Reads a checkpoint; what is read must be what was written."""
    from t2t_lite.trainer import checkpoints

    expected = np.load(os.path.join(os.path.dirname(folder), "original.npz"))
    tensors, _ = checkpoints.read(folder)
    assert set(tensors) == set(expected.files)
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, expected[name])


KINDS = {"vocabulary": vocabulary, "checkpoint": checkpoint}


def _limit_memory() -> None:
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(kind: str, folder: str) -> None:
    """Tries `good` without a limit, to load all libraries, then the rest."""
    attempt = KINDS[kind]
    attempt(os.path.join(folder, "good"))
    _limit_memory()
    names = sorted(name for name in os.listdir(folder) if name.isdigit())
    for number, name in enumerate(names):
        print(number, end=" ", flush=True)
        try:
            attempt(os.path.join(folder, name))
            print("ok", flush=True)
        except UserError as error:
            print("UserError", " ".join(str(error).split("\n")), flush=True)
        except Exception as error:
            text = " ".join(str(error).split())
            print(type(error).__name__, text[:300], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
