"""TensorFlow's bundle format, read with its promises checked first."""

from __future__ import annotations

import errno
import math
import os
import stat

import numpy as np
import tensorflow as tf


def read(prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays of `<prefix>.index` and `<prefix>.data-*` by name.

    No more memory is taken than the files have bytes.

    Raises:
        ValueError: a file is no regular one, or the index promises tensors
            that the data cannot hold, or that are no numbers.
        OSError, RuntimeError, tf.errors.OpError: a file is missing or damaged.
    """
    held = _data_bytes(prefix)
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
    promised = 0
    for name, shape in shapes.items():
        dtype = dtypes[name]
        if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
            raise ValueError(f"{name} holds no numbers but {dtype.name}")
        promised += math.prod(shape) * dtype.size
    if promised > held:
        raise ValueError(f"{held} bytes of data, its index says {promised}")
    return {name: reader.get_tensor(name) for name in shapes}


def _data_bytes(prefix: str) -> int:
    """Returns the size of the data files; checks that all are files."""
    folder, start = os.path.split(f"{prefix}.")
    sizes = {}
    for name in os.listdir(folder):
        if name.startswith(start):
            status = os.stat(os.path.join(folder, name))
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{name} is no regular file")
            sizes[name.removeprefix(start)] = status.st_size
    # Without it TensorFlow would look for its first format.
    if sizes.pop("index", None) is None:
        raise FileNotFoundError(
            errno.ENOENT, os.strerror(errno.ENOENT), f"{prefix}.index"
        )
    return sum(sizes.values())
