"""Labels of small images: MNIST, Fashion-MNIST, CIFAR-10."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from t2t_lite.errors import UserError
from t2t_lite.problems import source_files, tfds_source
from t2t_lite.problems.held_out import HoldsOut
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.source_files import FromFiles, SourceFiles
from t2t_lite.problems.tfds_source import TfdsSource
from t2t_lite.registry import PROBLEMS

if TYPE_CHECKING:
    import numpy as np

_MOST = 1 << 28  # bytes that a file may have, unpacked
_MOST_AXES = 32  # of an IDX file
_NO_IDX = "no whole IDX file of bytes; get the file again"
_CIFAR_RECORD = 1 + 32 * 32 * 3
_DIGITS = tuple(str(i) for i in range(10))
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_CIFAR = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


class ImageProblem(HoldsOut, Problem):
    """Images with a label each; 1 in 20 of training is held out.

    A subclass writes `pairs` and `describe_part`.
    """

    inputs_kind = "image"
    targets_kind = "label"
    main_metric = "accuracy"
    defaults = {
        "vocab_kind": "byte",
        "vocab_size": 259,
        "max_length": 1,
        "batch_size": 128,
        "train_steps": 4000,
        "eval_interval": 500,
    }

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        """Yields (image, number of its label) of "train" or "test"."""
        raise NotImplementedError

    def part(self, name: str) -> Iterator[Example]:
        for image, label in self.pairs(name):
            yield {"inputs": image, "targets": self.labels[label]}

    def key(self, example: Example) -> bytes:
        return example["inputs"].tobytes()

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns the share of right labels in percent."""
        from t2t_lite import metrics

        value, signature = metrics.exact_match(predictions, references)
        return {"accuracy": value, "accuracy_signature": signature}


class IdxProblem(FromFiles, ImageProblem):
    """Images in the IDX files of MNIST."""

    image_shape = (28, 28, 1)
    names = {
        part: tuple(
            f"{prefix}-{kind}-ubyte.gz"
            for kind in ("images-idx3", "labels-idx1")
        )
        for part, prefix in (("train", "train"), ("test", "t10k"))
    }

    def describe_part(self, part: str) -> str:
        return self.files.describe(self, self.names[part])

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        paths = [self.files.path(self, name) for name in self.names[part]]
        images, labels = map(read_idx, paths)
        if images.shape != (*labels.shape[:1], 28, 28) or labels.ndim != 1:
            raise UserError(
                f"{paths[0]}: expected as many images of 28 x 28 as there are"
                f" labels in {paths[1]}, got shapes {images.shape} and"
                f" {labels.shape}; get the files again"
            )
        for image, label in zip(images[..., None], labels, strict=True):
            self.label_name(int(label), paths[1])
            yield image, int(label)


def read_idx(path: str) -> np.ndarray:
    """Returns the bytes of an IDX file, packed or not, as an array.

    Raises:
        UserError: it is no whole IDX file of bytes.
    """
    import numpy as np

    content = _content(path)
    try:
        zeros, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    except struct.error as error:
        raise UserError(f"{path}: {_NO_IDX}") from error
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    whole = rank <= _MOST_AXES and values.size == math.prod(shape)
    if zeros or kind != 8 or not whole:
        raise UserError(f"{path}: {_NO_IDX}")
    return values.reshape(shape)


def _content(path: str) -> bytes:
    """Returns what a file holds, unpacked, at most `_MOST` bytes."""
    opener = gzip.open if path.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            content = file.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be read, or is damaged ({error}); get the file"
            " again"
        ) from error
    if len(content) > _MOST:
        raise UserError(f"{path}: holds more than {_MOST:,} bytes")
    return content


@PROBLEMS.register(
    "image_mnist", "handwritten digits (60,000, a 12 MB download)"
)
class Mnist(IdxProblem):
    """LeCun et al. 1998."""

    labels = _DIGITS
    files = SourceFiles(
        "mnist",
        {
            name: f"https://storage.googleapis.com/cvdf-datasets/mnist/{name}"
            for names in IdxProblem.names.values()
            for name in names
        },
    )


@PROBLEMS.register(
    "image_fashion_mnist", "pictures of clothes (60,000, a 31 MB download)"
)
class FashionMnist(IdxProblem):
    """Xiao et al. 2017; Debian has it as dataset-fashion-mnist."""

    labels = _CLOTHES
    files = SourceFiles(
        "fashion_mnist",
        {
            name: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            f"{name}"
            for names in IdxProblem.names.values()
            for name in names
        },
    )


@PROBLEMS.register(
    "image_cifar10", "small photographs (50,000, CIFAR-10 by TFDS or its files)"
)
class Cifar10(ImageProblem):
    """Krizhevsky 2009: by TFDS, or the binary version's files."""

    origin = "TFDS `cifar10`, or `--source_dir`"

    labels = _CIFAR
    image_shape = (32, 32, 3)
    defaults = {**ImageProblem.defaults, "train_steps": 20_000}
    option_schema = (source_files.OPTION, tfds_source.OPTION)
    names = {
        "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        "test": ("test_batch.bin",),
    }
    files = SourceFiles(
        "cifar10",
        dict.fromkeys(name for part in names.values() for name in part),
        archive="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    )
    data = TfdsSource(
        "cifar10",
        "",
        {"image": "image", "label": "number"},
        "https://www.cs.toronto.edu",
        "--source_dir=<folder of the binary version's files>",
    )

    def source_is_local(self) -> bool:
        return bool(self.settings["source_dir"]) or self.data.is_local(self)

    def describe_part(self, part: str) -> str:
        if self.settings["source_dir"]:
            return self.files.describe(self, self.names[part])
        return self.data.describe(part)

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        if self.settings["source_dir"]:
            yield from self._pairs_of_files(part)
            return
        for row in self.data.rows(self, part):
            self.label_name(row["label"], self.data.name)
            yield row["image"], row["label"]

    def _pairs_of_files(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        import numpy as np

        for name in self.names[part]:
            path = self.files.path(self, name)
            content = _content(path)
            if not content or len(content) % _CIFAR_RECORD:
                raise UserError(
                    f"{path}: {len(content):,} bytes are no whole number of"
                    f" records of {_CIFAR_RECORD:,}; get the file again"
                )
            rows = np.frombuffer(content, np.uint8)
            for row in rows.reshape(-1, _CIFAR_RECORD):
                self.label_name(int(row[0]), path)
                image = row[1:].reshape(3, 32, 32).transpose(1, 2, 0)
                yield np.ascontiguousarray(image), int(row[0])
