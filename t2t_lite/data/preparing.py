"""Turns a problem's examples into a prepared folder, in parallel, resumably."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from t2t_lite.data import manifest as manifests
from t2t_lite.data import records, sharding, storage
from t2t_lite.data.preparation import Preparation
from t2t_lite.data.subword_sampling import SubwordSampling
from t2t_lite.data.text_encoder import check_vocab_kind
from t2t_lite.errors import UserError


def prepared_folder(
    problem,
    vocab_kind: str,
    vocab_size: int,
    data_dir: str,
    sampling: SubwordSampling | None = None,
) -> str:
    """Returns the folder `data_dir/<data_key>-<vocab_kind><vocab_size>`.

    Of a vocabulary that is given, `-<its hash>` follows; with `sampling`,
    `-sampled<samples>x<alpha>`.
    """
    asked = manifests.request(problem, vocab_kind, vocab_size)
    name = f"{problem.data_key}-{vocab_kind}{asked['vocab_size']}"
    if "vocabulary" in asked:
        name += f"-{asked['vocabulary'][:8]}"
    if sampling is not None:
        name += f"-sampled{sampling.samples}x{sampling.alpha:g}"
    return os.path.join(os.path.expanduser(data_dir), name)


def prepare(
    problem,
    vocab_kind: str,
    vocab_size: int,
    data_dir: str,
    progress: bool = True,
    num_shards: int | None = None,
    log: Callable[[str], None] = print,
    sampling: SubwordSampling | None = None,
) -> records.PreparedData:
    """Opens the prepared folder of a problem; writes it first if need be.

    A run that was killed is taken up where it stopped; the result is the same
    as that of an undisturbed run. Processes that prepare the same folder at
    once wait for one another.

    Args:
        problem: has `name`, `data_key`, `options`, `splits`,
            `largest_shard`, `vocab_file`, `source(split)`, `source_is_local()`,
            `examples(split)`, `task(vocab_size)`,
            `vocabulary_texts(example)` and `encode_batch(examples, encoder)`.
        vocab_kind: "unigram", "bpe", "subwords" or "byte".
        vocab_size: int, number of ids wanted; "byte" ignores it.
        data_dir: str, the folder of prepared folders; made if missing.
        progress: bool, whether to show a bar (on a terminal only).
        num_shards: optional int, files of the train split. By default one per
            8192 examples up to 128 files, then larger files, up to the
            problem's `largest_shard`.
        log: called with each message.
        sampling: each training example is written that often, each time
            segmented at random; an epoch shows them all.
    Raises:
        UserError: the folder there is damaged or of other data; the corpus,
            the vocabulary size or `data_dir` cannot be used.
    """
    check_vocab_kind(vocab_kind)
    request = (problem, vocab_kind, vocab_size)
    return _Order(
        problem,
        prepared_folder(*request, data_dir, sampling),
        manifests.request(*request, sampling),
        progress,
        num_shards,
        log,
    ).carry_out()


@dataclasses.dataclass(frozen=True)
class _Order:
    """What is to be prepared, where, and how."""

    problem: Any
    folder: str
    asked: dict[str, Any]
    progress: bool
    num_shards: int | None
    log: Callable[[str], None]

    def carry_out(self) -> records.PreparedData:
        """Opens the folder; writes it first if need be."""
        folder, asked, log = self.folder, dict(self.asked), self.log
        matching = (folder, self.problem, asked, self.num_shards, log)
        if manifests.is_complete(folder):
            return _open_matching(*matching)
        _make_folder(os.path.dirname(folder))
        with storage.folder_lock(
            folder, lambda: log(f"another process prepares {folder}: waiting")
        ):
            if not manifests.is_complete(folder):
                asked["source"] = manifests.sources(self.problem)
                asked["num_shards"] = sharding.shard_counts(
                    asked["source"],
                    self.num_shards,
                    self.problem.largest_shard,
                )
                _fill(
                    Preparation(folder, self.problem, asked, self.progress, log)
                )
                return _open_saying(folder, log)
        return _open_matching(*matching)


def _fill(preparation: Preparation) -> None:
    """Runs the preparation; leaves no folder if it wrote nothing."""
    folder = preparation.folder
    _make_folder(folder)
    try:
        preparation.run()
    finally:
        if not os.listdir(folder):
            os.rmdir(folder)


def _open_matching(folder, problem, asked, num_shards, log):
    """Returns the complete folder after comparing it with the request.

    A source that would have to be downloaded is not compared.
    """
    there = manifests.read(folder)
    manifests.check_matches(folder, there, asked)
    if problem.source_is_local():
        _compare_source(folder, problem, there, log)
    if num_shards is not None:
        manifests.check_matches(
            folder,
            {"num_shards": there["num_shards"]["train"]},
            {"num_shards": num_shards},
        )
    return _open_saying(folder, log)


def _open_saying(folder, log):
    """Opens the folder; says where its training examples come from."""
    data = records.open_prepared(folder)
    source = data.manifest["source"]["train"]
    log(f"training examples: {source['description']}")
    return data


def _compare_source(folder, problem, there, log):
    try:
        source = manifests.sources(problem)
    except (UserError, OSError) as error:
        log(f"using {folder} without a look at its source: {error}")
    else:
        manifests.check_matches(folder, there, {"source": source})


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror}; give another"
            " data_dir"
        ) from error
