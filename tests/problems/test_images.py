"""Images in upstream's formats, whole and damaged."""

import gzip
import math
import pathlib
import struct

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems import images

REAL = pathlib.Path("/usr/share/datasets/fashion-mnist")
NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
COUNTS = {"train": 60, "test": 5}


def _idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def _arrays():
    """Random images and labels by part and kind."""
    rng = np.random.default_rng(1)
    shapes = {"images": (28, 28), "labels": ()}
    return {
        (part, kind): rng.integers(
            0, 10, (COUNTS[part], *shapes[kind]), dtype=np.uint8
        )
        for part, kind in NAMES
    }


@pytest.fixture(params=["plain", "packed"])
def folder(request, tmp_path):
    for key, array in _arrays().items():
        content = _idx(array)
        if request.param == "packed":
            path = tmp_path / f"{NAMES[key]}.gz"
            path.write_bytes(gzip.compress(content))
        else:
            (tmp_path / NAMES[key]).write_bytes(content)
    return tmp_path


def _create(name, folder):
    return problems.create(name, {"source_dir": str(folder)})


class TestMnist:
    @pytest.mark.parametrize("name", ["image_mnist", "image_fashion_mnist"])
    def test_examples(self, name, folder):
        problem = _create(name, folder)
        arrays = _arrays()
        for example, image, label in zip(
            problem.examples("test"),
            arrays["test", "images"],
            arrays["test", "labels"],
            strict=True,
        ):
            np.testing.assert_array_equal(example["inputs"][..., 0], image)
            assert example["inputs"].dtype == np.uint8
            assert example["targets"] == problem.labels[label]
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [57, 3, 5]
        assert "held out" in problem.describe_source("train")

    def test_held_out_images_are_of_the_training_part(self, folder):
        problem = _create("image_mnist", folder)
        found = {
            example["inputs"].tobytes()
            for split in ("train", "validation")
            for example in problem.examples(split)
        }
        expected = {x.tobytes() for x in _arrays()["train", "images"]}
        assert found == expected

    @pytest.mark.parametrize("key", NAMES)
    def test_missing_file(self, folder, key):
        for path in folder.glob(f"{NAMES[key]}*"):
            path.unlink()
        with pytest.raises(
            UserError, match=f"neither {NAMES[key]}.gz nor {NAMES[key]};"
        ):
            _create("image_mnist", folder).source(key[0])

    def test_missing_folder(self, tmp_path):
        with pytest.raises(UserError, match=r"--source_dir=.*: is no folder"):
            _create("image_mnist", tmp_path / "no").source("train")

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: b"",
            lambda c: c[:3],
            lambda c: c[:9],
            lambda c: c[:-1],
            lambda c: c + b"\0",
            lambda c: b"\1" + c[1:],
            lambda c: c[:2] + b"\x0d" + c[3:],
            # A size that would overflow to 0.
            lambda c: bytes([0, 0, 8, 2, *struct.pack(">2I", *[1 << 31] * 2)]),
        ],
    )
    def test_damaged_file(self, folder, change):
        path = folder / NAMES["test", "images"]
        path.with_suffix(".gz").unlink(missing_ok=True)
        path.write_bytes(change(_idx(_arrays()["test", "images"])))
        (folder / f"{path.name}.gz").unlink(missing_ok=True)
        with pytest.raises(UserError, match=f"{path}: no whole IDX file"):
            _create("image_mnist", folder).source("test")

    @pytest.mark.parametrize("end", [0, 5, 20, -9])
    def test_damaged_gzip(self, folder, end):
        path = folder / f"{NAMES['test', 'labels']}.gz"
        content = gzip.compress(_idx(_arrays()["test", "labels"]))
        path.write_bytes(content[:end])
        with pytest.raises(UserError, match=f"{path}: ") as error:
            _create("image_mnist", folder).source("test")
        assert "get the file again" in str(error.value)

    def test_a_file_that_unpacks_to_too_much(self, folder, monkeypatch):
        monkeypatch.setattr(images, "_MOST", 100)
        with pytest.raises(UserError, match="holds more than 100 bytes"):
            _create("image_mnist", folder).source("test")

    def test_other_numbers_of_images_and_labels(self, folder):
        path = folder / f"{NAMES['test', 'labels']}.gz"
        path.write_bytes(gzip.compress(_idx(np.zeros(4, np.uint8))))
        with pytest.raises(
            UserError, match=r"got shapes \(5, 28, 28\) and \(4,\); get"
        ):
            _create("image_mnist", folder).source("test")

    def test_files_exchanged(self, folder):
        content = gzip.compress(_idx(_arrays()["test", "labels"]))
        (folder / f"{NAMES['test', 'images']}.gz").write_bytes(content)
        with pytest.raises(UserError, match=r"got shapes \(5,\) and \(5,\)"):
            _create("image_mnist", folder).source("test")

    def test_label_out_of_range(self, folder):
        path = folder / f"{NAMES['test', 'labels']}.gz"
        labels = np.array([0, 1, 10, 3, 4], np.uint8)
        path.write_bytes(gzip.compress(_idx(labels)))
        with pytest.raises(
            UserError, match=f"{path}: a label of 10, expected 0"
        ):
            _create("image_mnist", folder).source("test")

    def test_empty_split(self, folder):
        for kind, shape in (("images", (0, 28, 28)), ("labels", (0,))):
            path = folder / f"{NAMES['test', kind]}.gz"
            path.write_bytes(gzip.compress(_idx(np.zeros(shape, np.uint8))))
        with pytest.raises(UserError, match="test split has no examples"):
            _create("image_mnist", folder).source("test")

    @pytest.mark.skipif(not REAL.is_dir(), reason=f"no {REAL}")
    def test_real_files(self):
        problem = _create("image_fashion_mnist", REAL)
        counts = [problem.source(split).count for split in problem.splits]
        assert sum(counts[:2]) == 60_000
        assert abs(counts[1] - 2000) < 20  # what is there twice stays together
        assert counts[2] == 10_000


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_idx_of_any_rank(tmp_path, shape):
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    path = tmp_path / "x"
    path.write_bytes(_idx(array))
    np.testing.assert_array_equal(images.read_idx(str(path)), array)


class TestCifar:
    @pytest.fixture
    def folder(self, tmp_path):
        """Writes six files; returns the folder."""
        rng = np.random.default_rng(2)
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            rows = rng.integers(0, 10, (8, 3073), dtype=np.uint8)
            (tmp_path / f"{name}.bin").write_bytes(rows.tobytes())
        return tmp_path

    def test_channels_come_last(self, folder):
        planes = np.stack([np.full((32, 32), n, np.uint8) for n in (7, 8, 9)])
        planes[1, 2, 3] = 200
        content = bytes([4]) + planes.tobytes()
        (folder / "test_batch.bin").write_bytes(content)
        (example,) = _create("image_cifar10", folder).examples("test")
        assert example["targets"] == "deer"
        assert example["inputs"].shape == (32, 32, 3)
        assert example["inputs"][2, 3].tolist() == [7, 200, 9]
        assert example["inputs"][0, 0].tolist() == [7, 8, 9]

    def test_splits(self, folder):
        problem = _create("image_cifar10", folder)
        counts = [problem.source(split).count for split in problem.splits]
        assert counts == [38, 2, 8]

    def test_packed_files_serve_too(self, folder):
        path = folder / "test_batch.bin"
        content = path.read_bytes()
        path.unlink()
        (folder / "test_batch.bin.gz").write_bytes(gzip.compress(content))
        assert _create("image_cifar10", folder).source("test").count == 8

    @pytest.mark.parametrize("size", [0, 1, 3072, 3074])
    def test_damaged_file(self, folder, size):
        path = folder / "data_batch_3.bin"
        path.write_bytes(bytes(size))
        with pytest.raises(
            UserError, match=rf"{path}: {size:,} bytes are no whole number"
        ):
            _create("image_cifar10", folder).source("train")

    def test_label_out_of_range(self, folder):
        path = folder / "test_batch.bin"
        path.write_bytes(bytes([10]) + bytes(3072))
        with pytest.raises(UserError, match=f"{path}: a label of 10, expected"):
            _create("image_cifar10", folder).source("test")

    def test_missing_file(self, folder):
        (folder / "data_batch_5.bin").unlink()
        with pytest.raises(
            UserError, match=r"neither data_batch_5\.bin\.gz nor"
        ):
            _create("image_cifar10", folder).source("train")


def test_score_is_accuracy():
    problem = problems.create("image_mnist")
    assert problem.score(["1", "2"], ["1", "3"])["accuracy"] == 50.0
    assert problem.measures() == ["accuracy"]
