"""Files of images and of sounds, as other programs write them."""

import gzip
import io
import struct
import wave

import numpy as np
from hypothesis import strategies as st

from t2t_lite.errors import UserError
from t2t_lite.problems import create
from t2t_lite.problems.images import read_idx
from t2t_lite.problems.speech import read_wav
from tests.fuzz import counting, mutations

RATE = 8000


def _idx(shape):
    head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    return head + bytes(range(int(np.prod(shape))))


def _wav():
    file = io.BytesIO()
    with wave.open(file, "wb") as clip:
        clip.setparams((1, 2, RATE, 0, "NONE", ""))
        clip.writeframes(bytes(range(100)))
    return file.getvalue()


def test_idx_files(tmp_path):
    def attempt(given):
        packed, content = given
        path = tmp_path / ("images.gz" if packed else "images")
        path.write_bytes(content)
        try:
            array = read_idx(str(path))
        except UserError as error:
            counting.check_message(error, str(path))
        else:
            plain = gzip.decompress(content) if packed else content
            assert plain.endswith(array.tobytes())
            assert len(plain) == 4 + 4 * array.ndim + array.size

    good = _idx((3, 4, 5))
    many = struct.pack(">HBB70I", 0, 8, 70, *[0] * 70)  # axes, and no bytes
    whole = st.one_of(
        mutations.mangled(good),
        mutations.mangled(_idx((0, 28, 28))),
        st.just(many),
    )
    packed = st.one_of(
        mutations.mangled(gzip.compress(good)), whole.map(gzip.compress)
    )
    counting.run(
        "image files",
        attempt,
        st.one_of(
            st.tuples(st.just(False), whole), st.tuples(st.just(True), packed)
        ),
    )


def test_cifar_files(tmp_path):
    """Whatever the bytes are, they are images with labels, or refused."""
    good = b"".join(bytes([i]) + bytes([9 * i] * 3072) for i in range(3))
    problem = create("image_cifar10", {"source_dir": str(tmp_path)})

    def attempt(content):
        (tmp_path / "test_batch.bin").write_bytes(content)
        try:
            found = list(problem.pairs("test"))
        except UserError as error:
            counting.check_message(error, str(tmp_path))
        else:
            assert len(found) * 3073 == len(content) > 0
            for image, label in found:
                assert image.shape == (32, 32, 3)
                assert 0 <= label < 10

    counting.run("photographs", attempt, mutations.mangled(good))


def test_sound_files(tmp_path):
    path = tmp_path / "7_theo_0.wav"

    def attempt(content):
        path.write_bytes(content)
        try:
            samples = read_wav(str(path), RATE)
        except UserError as error:
            counting.check_message(error, str(path))
        else:
            assert samples.dtype == np.int16
            assert samples.ndim == 1
            assert samples.size > 0
            assert samples.tobytes() in content

    counting.run("sound files", attempt, mutations.mangled(_wav()))
