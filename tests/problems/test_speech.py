"""Speech: .wav files, whole and damaged, and the scores."""

import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems.speech import read_wav
from tests.fuzz import counting, mutations

SAMPLES = np.array([0, 1, -1, 2**15 - 1, -(2**15)], "<i2")


def _write(path, samples=SAMPLES, channels=1, width=2, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


class TestWav:
    def test_samples(self, tmp_path):
        found = read_wav(str(_write(tmp_path / "a.wav")), 8000)
        np.testing.assert_array_equal(found, SAMPLES)
        assert found.dtype == np.int16

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            (
                {"rate": 16_000},
                "at 8,000 samples .* got 1 of 16 bits at 16,000",
            ),
            (
                {"channels": 2, "samples": SAMPLES[:4]},
                "got 2 of 16 bits at 8,0",
            ),
            ({"width": 1}, "got 1 of 8 bits at 8,000"),
            ({"samples": SAMPLES[:0]}, "0 samples .at least 1"),
        ],
    )
    def test_other_forms(self, tmp_path, form, message):
        path = _write(tmp_path / "a.wav", **form)
        with pytest.raises(UserError, match=f"{path}: expected.*{message}"):
            read_wav(str(path), 8000)

    def test_cut_short(self, tmp_path):
        path = _write(tmp_path / "a.wav")
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(
            UserError, match=r"expected 5 samples .* got 3; get"
        ):
            read_wav(str(path), 8000)

    @pytest.mark.parametrize("content", [b"", b"RIFF", b"not a clip at all"])
    def test_no_wav_at_all(self, tmp_path, content):
        path = tmp_path / "a.wav"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"cannot be read as a \.wav file"):
            read_wav(str(path), 8000)

    def test_missing(self, tmp_path):
        with pytest.raises(UserError, match="No such file"):
            read_wav(str(tmp_path / "a.wav"), 8000)

    def test_floats(self, tmp_path):
        path = _write(tmp_path / "a.wav")
        content = bytearray(path.read_bytes())
        struct.pack_into("<H", content, 20, 3)  # the format's tag
        path.write_bytes(content)
        with pytest.raises(UserError, match="unknown format: 3"):
            read_wav(str(path), 8000)

    def test_whatever_the_file_holds(self, tmp_path):
        path = tmp_path / "a.wav"
        good = _write(path).read_bytes()

        @given(mutations.mangled(good))
        @settings(max_examples=400, deadline=None)
        def attempt(content):
            path.write_bytes(content)
            try:
                found = read_wav(str(path), 8000)
            except UserError as error:
                counting.check_message(error, str(path))
                return
            assert 0 < found.size <= len(content) // 2

        attempt()


class TestDigits:
    @pytest.fixture(params=["", "recordings"])
    def folder(self, request, tmp_path):
        place = tmp_path / request.param
        place.mkdir(exist_ok=True)
        for take in (0, 4, 5, 9, 10, 49):
            for digit in (3, 8):
                name = f"{digit}_theo_{take}.wav"
                _write(place / name, SAMPLES + np.int16(take))
        (place / "README.md").write_text("about")
        return tmp_path

    def _create(self, folder, **options):
        options["source_dir"] = str(folder)
        return problems.create("speech_digits", options)

    def test_splits_by_the_take(self, folder):
        problem = self._create(folder)
        for split, takes in (
            ("train", (10, 49)),
            ("validation", (5, 9)),
            ("test", (0, 4)),
        ):
            found = list(problem.examples(split))
            assert [e["targets"] for e in found] == ["three"] * 2 + [
                "eight"
            ] * 2
            firsts = {int(e["inputs"][0]) for e in found}
            assert firsts == set(takes)

    def test_one_order(self, folder):
        first, second = (
            [
                e["inputs"].tobytes()
                for e in self._create(folder).examples("test")
            ]
            for _ in range(2)
        )
        assert first == second

    def test_wrong_sample_rate(self, folder):
        (path,) = folder.rglob("8_theo_49.wav")
        _write(path, rate=16_000)
        with pytest.raises(UserError, match=f"{path}: expected one channel"):
            self._create(folder).source("train")

    @pytest.mark.parametrize("name", ["no", "."])
    def test_folder_without_clips(self, tmp_path, name):
        with pytest.raises(
            UserError, match=r"no clips named like 7_theo_0\.wav"
        ):
            self._create(tmp_path / name).source("train")

    def test_empty_split(self, tmp_path):
        _write(tmp_path / "7_theo_0.wav")
        with pytest.raises(UserError, match="train split has no examples"):
            self._create(tmp_path).source("train")

    def test_real_files(self, shared_data):
        problem = self._create(shared_data("spoken_digit"))
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [2400, 300, 300]


def test_scores():
    problem = problems.create("librispeech")
    scores = problem.score(["a b", "c"], ["a b", "d e"])
    assert scores["exact_match"] == 50.0
    assert scores["wer"] == 50.0
    assert scores["cer"] == pytest.approx(100 * 3 / 6)
    assert problem.measures() == ["exact_match", "wer", "cer"]
    assert problem.main_metric == "wer"


def test_long_clips_fill_smaller_files():
    assert problems.create("librispeech").largest_shard < 1000
    assert problems.create("speech_digits").largest_shard == 65_536
