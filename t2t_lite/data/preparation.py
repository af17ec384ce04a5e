"""The work of filling a prepared folder: vocabulary, shards and lengths."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from t2t_lite.data import manifest as manifests
from t2t_lite.data import records, sharding, storage
from t2t_lite.data.columns import columns_of
from t2t_lite.data.manifest_form import samples_of
from t2t_lite.data.sentencepiece_training import train_sentencepiece
from t2t_lite.data.subword_sampling import SamplingEncoder
from t2t_lite.data.subword_training import train_subwords
from t2t_lite.data.text_encoder import (
    VOCABULARY_FILES,
    ByteEncoder,
    TextEncoder,
    load_encoder,
)
from t2t_lite.errors import UserError

_VOCAB_EXAMPLES = 2_000_000
_MAX_THREADS = 8


class Preparation:
    """One run that fills a folder; the caller holds the folder's lock."""

    def __init__(self, folder, problem, asked, progress, log):
        self.folder = folder
        self.problem = problem
        self.asked = asked
        self.progress = progress
        self.log = log
        self._journal_lock = threading.Lock()
        self._features: dict[str, tuple] = {}

    def run(self) -> None:
        storage.remove_temporary_files(self.folder)
        self.state = self._resumed() or self._started()
        encoder = self._encoder()
        for split in self.problem.splits:
            self._write_split(split, encoder)
        manifests.publish(self.folder, self.state)
        self.log(f"prepared {self.folder}")

    def _resumed(self) -> dict[str, Any] | None:
        """Returns the state of an interrupted run of the same request."""
        partial = manifests.read_partial(self.folder)
        if not partial or not manifests.same_request(partial, self.asked):
            return None
        if partial["tokenizer"] and not self._intact(partial["tokenizer"]):
            return None
        shards = [
            shard
            for split in partial["splits"].values()
            for shard in split["shards"]
        ]
        done = sum(shard is not None for shard in shards)
        self.log(
            f"resuming {self.folder}: {done} of {len(shards)} shards are there"
        )
        return partial

    def _started(self) -> dict[str, Any]:
        """Returns the state of a run that has done nothing."""
        _remove_prepared_files(self.folder)
        shards = self.asked["num_shards"]
        state = {
            **self.asked,
            "tokenizer": None,
            "task": None,
            "features": None,
            "splits": {
                split: {"shards": [None] * shards[split]}
                for split in self.problem.splits
            },
        }
        return state

    def _intact(self, entry: dict[str, Any]) -> bool:
        """Returns whether a file of an interrupted run is as it was."""
        try:
            manifests.read_checked(
                os.path.join(self.folder, entry["file"]), entry
            )
        except UserError:
            self.log(f"{entry['file']} was damaged since: writing it again")
            return False
        return True

    def _encoder(self) -> TextEncoder:
        """Returns the vocabulary, made and saved unless it is there."""
        if self.state["tokenizer"]:
            return load_encoder(
                os.path.join(self.folder, self.state["tokenizer"]["file"])
            )
        encoder = self._new_encoder()
        path = os.path.join(self.folder, encoder.file_name)
        encoder.save(path)
        self.state["tokenizer"] = {
            **manifests.file_entry(path),
            "kind": self.asked["vocab_kind"],
            "size": encoder.vocab_size,
        }
        task = self.problem.task(encoder.vocab_size)
        self.state["task"] = task.to_json()
        manifests.write_partial(self.folder, self.state)
        return encoder

    def _new_encoder(self) -> TextEncoder:
        if self.problem.vocab_file is not None:
            return load_encoder(self.problem.vocab_file)
        kind, size = self.asked["vocab_kind"], self.asked["vocab_size"]
        if kind == "byte":
            return ByteEncoder()
        count = self.asked["source"]["train"]["count"]
        stride = max(1, -(-count // _VOCAB_EXAMPLES))
        self.log(
            f"training the vocabulary ({kind}, {size}) on"
            f" {-(-count // stride):,} of {count:,} examples"
        )
        examples = self.problem.examples("train")
        lines = (
            text
            for example in itertools.islice(examples, 0, None, stride)
            for text in self.problem.vocabulary_texts(example)
        )
        if kind == "subwords":
            return train_subwords(lines, size, self.log)
        return train_sentencepiece(lines, kind, size, self.log)

    def _write_split(self, split: str, encoder: TextEncoder) -> None:
        """Writes the shards of a split that are not there, and its lengths."""
        entry = self.state["splits"][split]
        count = self.asked["source"][split]["count"]
        bounds = sharding.shard_bounds(count, len(entry["shards"]))
        for i, shard in enumerate(entry["shards"]):
            if shard and not self._intact(shard):
                entry["shards"][i] = None
        missing = [i for i, s in enumerate(entry["shards"]) if s is None]
        if missing:
            with self._bar(split, bounds, missing) as advance:
                self._write_shards(split, bounds, missing, encoder, advance)
        entry["examples"] = count * samples_of(self.state, split)
        entry["lengths"] = self._write_lengths(split)
        manifests.write_partial(self.folder, self.state)

    def _write_shards(self, split, bounds, missing, encoder, advance) -> None:
        """Reads the source once and writes the missing shards in threads."""
        workers = min(_MAX_THREADS, os.cpu_count() or 1)
        chunks = sharding.chunks(self.problem, split, bounds)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            running: set[concurrent.futures.Future] = set()
            for shard, examples in enumerate(chunks):
                if shard in missing:
                    running.add(
                        pool.submit(
                            self._write_shard,
                            (split, shard),
                            examples,
                            encoder,
                            advance,
                        )
                    )
                while len(running) > workers:
                    running = _some_done(running)
            while running:
                running = _some_done(running)

    def _write_shard(self, where, examples, encoder, advance) -> None:
        """Writes one shard and notes it in the journal."""
        split, shard = where
        shards = self.state["splits"][split]["shards"]
        name = f"{split}-{shard:05d}-of-{len(shards):05d}.tfrecord.gz"
        path = os.path.join(self.folder, name)
        tokens: dict[str, int] = {}
        passes = samples_of(self.state, split)
        starts = range(0, len(examples), records.BLOCK_SIZE)

        def blocks(encoder) -> Iterator[bytes]:
            for _, start in itertools.product(range(passes), starts):
                chunk = examples[start : start + records.BLOCK_SIZE]
                features = self.problem.encode_batch(chunk, encoder)
                _check_features(features, len(chunk))
                for feature, rows in features.items():
                    total = sum(len(row) for row in rows)
                    tokens[feature] = tokens.get(feature, 0) + total
                texts = {
                    name: [example[name] for example in chunk]
                    for name, value in chunk[0].items()
                    if isinstance(value, str)
                }
                yield records.block_of(features, texts)
                advance(len(chunk))

        records.write_blocks(
            path, blocks(self._encoder_of(split, shard, encoder))
        )
        entry = {
            **manifests.file_entry(path),
            "examples": len(examples) * passes,
            "tokens": tokens,
        }
        with self._journal_lock:
            shards[shard] = entry
            self.state["features"] = sorted(tokens) or self.state["features"]
            manifests.write_partial(self.folder, self.state)

    def _encoder_of(self, split, shard, encoder):
        """Returns what encodes a shard's texts: it samples, if asked to."""
        sampling = self.asked["sampling"]
        if not sampling or split != "train":
            return encoder
        return SamplingEncoder(encoder, sampling["alpha"], seed=shard)

    def _write_lengths(self, split: str) -> dict[str, Any]:
        """Writes `<split>.lengths.npy`, int32 `(features, examples)`."""
        rows = [
            self._shard_lengths(entry)
            for entry in self.state["splits"][split]["shards"]
        ]
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate(rows, axis=1), allow_pickle=False)
        path = os.path.join(self.folder, f"{split}.lengths.npy")
        storage.write_bytes(path, buffer.getvalue())
        return manifests.file_entry(path)

    def _shard_lengths(self, entry: dict[str, Any]) -> np.ndarray:
        """Returns the lengths in one shard, int32 `(features, examples)`."""
        path = os.path.join(self.folder, entry["file"])
        columns = columns_of(
            records.read_blocks(path, entry, self.state["features"]),
            self.state["features"],
            np.zeros(0, np.int64),
        )
        return np.stack(
            [columns.lengths(name) for name in self.state["features"]]
        ).astype(np.int32)

    @contextlib.contextmanager
    def _bar(self, split, bounds, missing):
        """Yields a thread-safe function that moves the progress bar."""
        import tqdm

        total = sum(bounds[i + 1] - bounds[i] for i in missing)
        total *= samples_of(self.state, split)
        lock = threading.Lock()
        self.log(f"writing {total:,} examples of {split}")
        with tqdm.tqdm(
            total=total,
            desc=split,
            unit="ex",
            unit_scale=True,
            disable=None if self.progress else True,
        ) as bar:

            def advance(count: int) -> None:
                with lock:
                    bar.update(count)

            yield advance


def _remove_prepared_files(folder: str) -> None:
    """Removes what an interrupted run of another request wrote."""
    endings = (".tfrecord.gz", ".lengths.npy")
    names = {*VOCABULARY_FILES, manifests.PARTIAL_FILE}
    for name in os.listdir(folder):
        if name.endswith(endings) or name in names:
            os.remove(os.path.join(folder, name))


def _some_done(running: set) -> set:
    """Waits for a future, raises its error; returns those still running."""
    done, rest = concurrent.futures.wait(
        running, return_when=concurrent.futures.FIRST_COMPLETED
    )
    for future in done:
        future.result()
    return rest


def _check_features(features: dict[str, list], count: int) -> None:
    """Checks what a problem's `encode_batch` returned."""
    for name, rows in features.items():
        if len(rows) != count:
            raise ValueError(
                f"encode_batch gave {len(rows)} rows of {name!r} for"
                f" {count} examples"
            )
        if not all(len(row) for row in rows):
            raise ValueError(f"encode_batch gave an empty row of {name!r}")
