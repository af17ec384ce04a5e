"""Small sources of images and of speech."""

import gzip
import struct
import wave

import numpy as np

from tests.conformance.table import ROWS, writes


def write_idx(path, array):
    """Writes bytes as the IDX format has them."""
    head = struct.pack(">HBB", 0, 8, array.ndim)
    head += struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes()))


@writes("image_mnist", "image_fashion_mnist")
def mnist(folder, name):
    rng = np.random.default_rng(0)
    for part, count in (("train", ROWS), ("t10k", 4)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return {"source_dir": folder}


@writes("image_cifar10")
def cifar10(folder, name):
    rng = np.random.default_rng(0)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    for file in (*names, "test_batch.bin"):
        rows = rng.integers(0, 256, (8, 3073), np.uint8)
        rows[:, 0] = np.arange(8)
        (folder / file).write_bytes(rows.tobytes())
    return {"source_dir": folder}


@writes("speech_digits")
def digits(folder, name):
    rng = np.random.default_rng(0)
    for digit in range(4):
        for take in (0, 5, 10, 11):
            samples = rng.integers(-9_000, 9_000, 900 + 100 * digit)
            path = str(folder / f"{digit}_theo_{take}.wav")
            with wave.open(path, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8_000)
                file.writeframes(samples.astype("<i2").tobytes())
    return {"source_dir": folder}
