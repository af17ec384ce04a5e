"""What a line names, read from files, and refused in one line."""

import wave

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.errors import UserError
from t2t_lite.trainer import sources
from tests.models.small import AUDIO, IMAGE, TEXT

GREY = (9, 8, 1)


def write_wav(path, samples, rate=800, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())


def task_of(shape):
    return type(IMAGE)(
        **{**vars(IMAGE), "image_shape": shape},
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image(tmp_path, channels):
    shape = (9, 8, channels)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, shape, np.uint8)
    path = tmp_path / "a b.png"
    path.write_bytes(tf.io.encode_png(image).numpy())
    found = sources.read(f" {path}\n", task_of(shape))
    np.testing.assert_array_equal(found, image)
    assert found.dtype == np.uint8
    batch = sources.batch([found, found], task_of(shape))
    assert batch.shape == (2, *shape)
    assert batch.dtype == tf.uint8


def test_a_clip_comes_back_to_the_sample(tmp_path):
    samples = np.array([0, 1, -1, 32767, -32768, 1234], np.int16)
    write_wav(tmp_path / "x.wav", samples)
    found = sources.read(str(tmp_path / "x.wav"), AUDIO)
    np.testing.assert_array_equal(found, samples)
    batch = sources.batch([found, found[:2]], AUDIO).numpy()
    np.testing.assert_allclose(batch[0] * 32768, samples)
    np.testing.assert_array_equal(batch[1, 2:], 0)
    assert batch.min() >= -1


def test_a_text_is_itself():
    assert sources.read(" a b\n", TEXT) == " a b\n"
    batch = sources.batch(["ü", "ü".encode(), b"\xff", "\ud800"], TEXT)
    assert [x.decode() for x in batch.numpy()] == ["ü", "ü", "\ufffd", "?"]
    with pytest.raises(UserError, match="text 1: expected str, got int"):
        sources.batch(["a", 1], TEXT)


def test_mistakes_name_the_file_in_one_line(tmp_path):
    image = tf.io.encode_png(np.zeros((4, 4, 1), np.uint8)).numpy()
    files = {
        "small.png": (image, task_of(GREY), "an image of .4, 4, 1., but the"),
        "no.png": (b"text", task_of(GREY), "Unknown image file format"),
        "no.wav": (b"text", AUDIO, "no.wav: "),
    }
    for name, (content, task, message) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=message) as error:
            sources.read(str(tmp_path / name), task)
        assert str(tmp_path / name) in str(error.value)
    write_wav(tmp_path / "fast.wav", [1, 2], rate=8_000)
    with pytest.raises(UserError, match=r"8000 samples a second, but .* 800;"):
        sources.read(str(tmp_path / "fast.wav"), AUDIO)
    write_wav(tmp_path / "empty.wav", [])
    with pytest.raises(UserError, match=r"empty\.wav: "):
        sources.read(str(tmp_path / "empty.wav"), AUDIO)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        sources.read(str(tmp_path / "missing.wav"), AUDIO)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        sources.read(str(tmp_path), AUDIO)


def test_how_much_of_a_batch_a_line_takes(tmp_path):
    write_wav(tmp_path / "x.wav", np.ones(800))  # a second
    assert sources.length("abc", TEXT, 4096) == 3
    assert sources.length(str(tmp_path / "x.wav"), AUDIO, 4096) == 102
    assert sources.length(str(tmp_path / "none.wav"), AUDIO, 4096) == 0
    assert sources.length("x.png", IMAGE, 4096) == 64  # 64 of them
    assert sources.length("x.png", IMAGE, 10) == 1
