"""Labels of small images: MNIST, Fashion-MNIST, CIFAR-10."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from t2t_lite.errors import UserError
from t2t_lite.problems import source_files
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.source_files import SourceFiles
from t2t_lite.registry import PROBLEMS

if TYPE_CHECKING:
    import numpy as np

_MOST = 1 << 28  # bytes that a file may unpack to
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


class ImageProblem(Problem):
    """Images with a label each; each twentieth of training is validation."""

    inputs_kind = "image"
    targets_kind = "label"
    splits = ("train", "validation", "test")
    main_metric = "accuracy"
    defaults = {
        "vocab_kind": "byte",
        "vocab_size": 259,
        "max_length": 1,
        "batch_size": 128,
        "train_steps": 4000,
        "eval_interval": 500,
    }
    option_schema = (source_files.OPTION,)
    files: SourceFiles

    def source_is_local(self) -> bool:
        return self.files.are_local(self)

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        """Yields (image, number of its label) of "train" or "test"."""
        raise NotImplementedError

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        part = "test" if split == "test" else "train"
        for i, (image, label) in enumerate(self.pairs(part)):
            if part == "train" and (i % 20 == 19) != (split == "validation"):
                continue
            yield {"inputs": image, "targets": self.labels[label]}

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


class _IdxProblem(ImageProblem):
    """Images in the IDX files of MNIST."""

    image_shape = (28, 28, 1)
    names = {
        part: tuple(
            f"{prefix}-{kind}-ubyte.gz"
            for kind in ("images-idx3", "labels-idx1")
        )
        for part, prefix in (("train", "train"), ("test", "t10k"))
    }

    def describe_source(self, split: str) -> str:
        part = "test" if split == "test" else "train"
        return self.files.describe(self, self.names[part])

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        images, labels = (
            read_idx(self.files.path(self, name)) for name in self.names[part]
        )
        if images.shape[1:] != (28, 28) or len(images) != len(labels):
            raise UserError(
                f"{self.names[part][0]}: expected as many images of 28 x 28 as "
                f"labels, got {images.shape} and {labels.shape}; get the files "
                "again"
            )
        for image, label in zip(images[..., None], labels, strict=True):
            if label >= len(self.labels):
                raise UserError(
                    f"{self.names[part][1]}: a label of {label}; get it again"
                )
            yield image, int(label)


def read_idx(path: str) -> np.ndarray:
    """Returns the bytes of an IDX file, packed or not, as an array.

    Raises:
        UserError: it is no whole IDX file of bytes.
    """
    import numpy as np

    try:
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rb") as file:
            content = file.read(_MOST)
        zeros, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
        if zeros or kind != 8 or values.size != np.prod(shape):
            raise ValueError("its sizes do not fit")
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise UserError(
            f"{path}: no whole IDX file ({error}); get the file again"
        ) from error
    return values.reshape(shape)


@PROBLEMS.register("image_mnist", "handwritten digits (60,000, a download)")
class Mnist(_IdxProblem):
    """LeCun et al. 1998."""

    labels = _DIGITS
    files = SourceFiles(
        "mnist",
        {
            name: f"https://storage.googleapis.com/cvdf-datasets/mnist/{name}"
            for names in _IdxProblem.names.values()
            for name in names
        },
    )


@PROBLEMS.register(
    "image_fashion_mnist", "pictures of clothes (60,000, a download)"
)
class FashionMnist(_IdxProblem):
    """Xiao et al. 2017; Debian has it as dataset-fashion-mnist."""

    labels = _CLOTHES
    files = SourceFiles(
        "fashion_mnist",
        {
            name: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            f"{name}"
            for names in _IdxProblem.names.values()
            for name in names
        },
    )


@PROBLEMS.register(
    "image_cifar10", "small photographs (50,000; its files in --source_dir)"
)
class Cifar10(ImageProblem):
    """Krizhevsky 2009, the binary version's files."""

    labels = _CIFAR
    image_shape = (32, 32, 3)
    defaults = {**ImageProblem.defaults, "train_steps": 20_000}
    names = {
        "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        "test": ("test_batch.bin",),
    }
    files = SourceFiles(
        "cifar10",
        {
            name: "https://www.cs.toronto.edu/~kriz/cifar-10-batches-bin/"
            f"{name}"
            for part in names.values()
            for name in part
        },
    )

    def describe_source(self, split: str) -> str:
        part = "test" if split == "test" else "train"
        return self.files.describe(self, self.names[part])

    def pairs(self, part: str) -> Iterator[tuple[np.ndarray, int]]:
        import numpy as np

        for name in self.names[part]:
            path = self.files.path(self, name)
            size = os.path.getsize(path)
            if size % 3073 or not 0 < size <= _MOST:
                raise UserError(
                    f"{path}: {size:,} bytes are no whole number of records of "
                    "3,073; get the file again"
                )
            with open(path, "rb") as file:
                rows = np.frombuffer(file.read(size), np.uint8)
            for row in rows.reshape(-1, 3073):
                if row[0] >= len(self.labels):
                    raise UserError(f"{path}: a label of {row[0]}")
                image = row[1:].reshape(3, 32, 32).transpose(1, 2, 0)
                yield np.ascontiguousarray(image), int(row[0])
