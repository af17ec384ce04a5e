import numpy as np
import pytest
import tensorflow as tf

from t2t_lite.layers import LogMel
from tests.layers.conformance import run_layer_test

RATE = 8_000
BINS = 24


def _clips(samples=1_000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (2, samples)).astype("float32")


def _mel(frequency):
    return 1127.0 * np.log(1.0 + frequency / 700.0)


def _filters(num_bins, size, rate):
    """Triangles whose corners are equally far apart on the mel scale."""
    corners = np.linspace(_mel(20.0), _mel(rate / 2), num_bins + 2)
    mels = _mel(np.linspace(0.0, rate / 2, size))
    filters = np.zeros((size, num_bins))
    for i in range(num_bins):
        left, peak, right = corners[i : i + 3]
        rising = (mels - left) / (peak - left)
        falling = (right - mels) / (right - peak)
        filters[:, i] = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0  # silence has no pitch
    return filters


def _log_mel(clip, num_bins, rate):
    """`log(mel |STFT(x)|^2 + 1e-6)` of one clip."""
    length, step = rate // 40, rate // 100
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    fft = 1 << (length - 1).bit_length()
    count = -(-len(clip) // step)
    padded = np.concatenate([clip, np.zeros(length)])
    frames = [padded[i * step : i * step + length] for i in range(count)]
    power = np.abs(np.fft.rfft(frames * window, fft, axis=1)) ** 2
    return np.log(power @ _filters(num_bins, power.shape[1], rate) + 1e-6)


def test_conformance():
    output = run_layer_test(
        LogMel,
        {"sample_rate": RATE, "num_mel_bins": BINS},
        _clips(400),
        [],
    )
    assert output.dtype == tf.float32
    assert output.shape == (2, 5, BINS)


@pytest.mark.parametrize(
    ("rate", "samples"), [(8_000, 1_000), (16_000, 1_601), (800, 99)]
)
def test_numpy_reference(rate, samples):
    clips = _clips(samples)
    found = LogMel(rate, BINS)(clips).numpy()
    expected = [_log_mel(clip.astype("float64"), BINS, rate) for clip in clips]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-3)


def test_a_tone_is_heard_where_it_is():
    time = np.arange(RATE) / RATE
    found = [
        int(np.argmax(LogMel(RATE, 40)(_tone(time, f)).numpy()[0, 10]))
        for f in (200.0, 800.0, 3_000.0)
    ]
    corners = np.linspace(_mel(20.0), _mel(RATE / 2), 42)[1:-1]
    for frequency, place in zip((200.0, 800.0, 3_000.0), found, strict=True):
        assert abs(place - np.argmin(np.abs(corners - _mel(frequency)))) <= 1


def _tone(time, frequency):
    return np.sin(2 * np.pi * frequency * time)[None].astype("float32")


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 400])
def test_zeros_at_the_end_add_frames_and_change_none(samples):
    layer = LogMel(RATE, BINS)
    clip = _clips(samples)
    count = layer.num_frames(samples)
    alone = layer(clip).numpy()
    assert alone.shape[1] == count
    padded = layer(np.pad(clip, [[0, 0], [0, 333]])).numpy()
    np.testing.assert_allclose(padded[:, :count], alone, atol=1e-4)
    silence = np.log(1e-6)
    np.testing.assert_allclose(padded[:, count:], silence, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 80), "sample_rate must be at least 1, got 0"),
        ((99, 80), "sample_rate must be at least 100, got 99"),
        ((8_000, 0), "num_mel_bins must be at least 1, got 0"),
    ],
)
def test_wrong_sizes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogMel(*arguments)
