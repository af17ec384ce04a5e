"""TensorFlow's bundle format, read with its promises checked first."""

from __future__ import annotations

import math
import os
import stat

import numpy as np
import tensorflow as tf

from t2t_lite.data import untrusted
from t2t_lite.trainer import bundle_index


def read(prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays of `<prefix>.index` and `<prefix>.data-*` by name.

    No more memory is taken than the files have bytes.

    Raises:
        ValueError: a file is no regular one, or the index promises tensors
            that the data cannot hold, or that are no numbers.
        OSError, RuntimeError, tf.errors.OpError: a file is missing or damaged.
    """
    index = untrusted.read_file(f"{prefix}.index", bundle_index.MAX_INDEX_BYTES)
    found = bundle_index.shapes_and_types(index)
    held = _data_bytes(prefix)
    promised = sum(
        math.prod(shape) * dtype.size for shape, dtype in found.values()
    )
    if promised > held:
        raise ValueError(f"{held} bytes of data, its index says {promised}")
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    return {name: reader.get_tensor(name) for name in found}


def _data_bytes(prefix: str) -> int:
    """Returns the size of the data files; checks that they are files."""
    folder, start = os.path.split(f"{prefix}.data-")
    size = 0
    for name in os.listdir(folder):
        if name.startswith(start):
            status = os.stat(os.path.join(folder, name))
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{name} is no regular file")
            size += status.st_size
    return size
