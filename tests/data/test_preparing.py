import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from t2t_lite.data import EOS_ID, open_prepared, prepare, prepared_folder
from t2t_lite.data import manifest as manifests
from t2t_lite.data.storage import folder_lock, sha256_of_bytes
from t2t_lite.errors import UserError
from tests.data.fake import FakeProblem, quiet


def _prepare(data_dir, problem=None, kind="bpe", **options):
    options = {"num_shards": 5, "log": quiet, **options}
    problem = problem or FakeProblem()
    return prepare(problem, kind, 300, str(data_dir), **options)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return _prepare(tmp_path_factory.mktemp("data"))


def test_folder_holds_what_the_manifest_names(prepared):
    assert prepared.folder.endswith("/fake-bpe300")
    names = {"manifest.json", "vocab.model"}
    for split, shards in (("train", 5), ("validation", 1)):
        names.add(f"{split}.lengths.npy")
        names |= {
            f"{split}-{i:05d}-of-{shards:05d}.tfrecord.gz"
            for i in range(shards)
        }
    assert set(os.listdir(prepared.folder)) == names
    assert os.listdir(os.path.dirname(prepared.folder)) == ["fake-bpe300"]
    prepared.check()


def test_examples_come_back(prepared):
    problem, split = FakeProblem(), prepared.split("train")
    examples = list(problem.examples("train"))
    encoded = problem.encode_batch(examples, prepared.encoder)
    columns = split.load()
    assert split.num_examples == len(examples) == len(columns)
    np.testing.assert_array_equal(columns.example_ids, np.arange(len(columns)))
    for name in ("inputs", "targets"):
        assert split.texts(name) == [example[name] for example in examples]
        for i in (0, 1023, 1024, 2999):
            row = columns.row(name, i)
            np.testing.assert_array_equal(row, encoded[name][i])
            assert row.dtype == np.int32
            assert row[-1] == EOS_ID
        lengths = [len(row) for row in encoded[name]]
        np.testing.assert_array_equal(split.lengths[name], lengths)
        np.testing.assert_array_equal(columns.lengths(name), lengths)


def test_some_shards_in_any_order(prepared):
    split = prepared.split("train")
    part, whole = split.load([3, 1]), split.load()
    assert part.example_ids[[0, 600]].tolist() == [1800, 600]
    for name in ("inputs", "targets"):
        for i in (0, 599, 600, 1199):
            np.testing.assert_array_equal(
                part.row(name, i), whole.row(name, part.example_ids[i])
            )


def test_tensorflow_reads_the_files(prepared):
    import tensorflow as tf

    shard = prepared.manifest["splits"]["train"]["shards"][0]
    path = os.path.join(prepared.folder, shard["file"])
    records = tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()
    examples = [tf.train.Example.FromString(record) for record in records]
    feature = examples[0].features.feature
    lengths = np.frombuffer(
        feature["inputs/lengths"].bytes_list.value[0], "<i4"
    )
    assert len(examples) == 1
    assert len(lengths) == shard["examples"] == 600
    assert lengths.sum() == shard["tokens"]["inputs"]


def test_prepare_opens_what_is_there(prepared):
    before = _stamps(prepared.folder)
    again = _prepare(os.path.dirname(prepared.folder))
    assert again.data_hash == prepared.data_hash
    assert _stamps(prepared.folder) == before
    assert open_prepared(prepared.folder).data_hash == prepared.data_hash


def test_result_does_not_depend_on_place_or_threads(
    prepared, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    again = _prepare(tmp_path / "deep" / "er")
    assert again.data_hash == prepared.data_hash


def test_another_source_gives_another_hash(prepared, tmp_path):
    other = _prepare(tmp_path, FakeProblem(salt="x"))
    assert other.data_hash != prepared.data_hash


def test_byte_vocabulary_ignores_the_size(tmp_path):
    data = _prepare(tmp_path, kind="byte")
    assert data.folder.endswith("/fake-byte259")
    text = data.split("validation").texts("inputs")[0]
    row = data.split("validation").load().row("inputs", 0)
    assert data.encoder.decode(row) == text


def test_number_of_shards_by_size(tmp_path):
    data = _prepare(tmp_path, FakeProblem(17000), "byte", num_shards=None)
    assert data.split("train").shard_sizes == (5666, 5667, 5667)
    assert data.split("validation").shard_sizes == (50,)


def test_mismatch_names_what_differs(prepared):
    data_dir = os.path.dirname(prepared.folder)
    problem = FakeProblem()
    problem.options = {"flavour": "sweet"}
    with pytest.raises(UserError) as error:
        _prepare(data_dir, problem)
    assert str(error.value) == (
        f"the data prepared in {prepared.folder} are others: options.flavour"
        " is 'plain' there but 'sweet' was asked for; delete that folder or"
        " give another data_dir"
    )
    facts = r"3,000 examples \(\w{8}\)"
    with pytest.raises(
        UserError,
        match=f"source.train is {facts} there but {facts} was asked for",
    ):
        _prepare(data_dir, FakeProblem(salt="x"))
    with pytest.raises(UserError, match="num_shards is 5 there but 7 was"):
        _prepare(data_dir, num_shards=7)


def test_data_are_used_without_their_source(prepared):
    problem, said = FakeProblem(), []
    problem.offline = True
    _prepare(os.path.dirname(prepared.folder), problem, log=said.append)
    assert said == [
        f"using {prepared.folder} without a look at its source: the source is"
        " away",
        "training examples: random sentences",
    ]


def test_source_that_lies_about_its_count(tmp_path):
    class Liar(FakeProblem):
        def examples(self, split):
            yield from list(super().examples(split))[:-1]

    with pytest.raises(UserError, match="gave 2999 examples instead of 3000"):
        _prepare(tmp_path, Liar())
    assert not _temporaries(tmp_path)


def test_empty_source(tmp_path):
    with pytest.raises(UserError, match="source of the split train is empty"):
        _prepare(tmp_path, FakeProblem(0))


def test_failed_run_that_wrote_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(UserError, match="vocab_size=20 is too small"):
        prepare(FakeProblem(), "bpe", 20, str(tmp_path), log=quiet)
    assert os.listdir(tmp_path) == []


def test_error_in_a_thread_leaves_no_half_file(tmp_path):
    class Broken(FakeProblem):
        def encode_batch(self, examples, encoder):
            if len(examples) < 100:
                raise RuntimeError("broken")
            return super().encode_batch(examples, encoder)

    with pytest.raises(RuntimeError, match="broken"):
        _prepare(tmp_path, Broken())
    folder = tmp_path / "fake-bpe300"
    assert not _temporaries(tmp_path)
    assert not (folder / "manifest.json").exists()
    with pytest.raises(UserError, match=r"not complete .* to finish them"):
        open_prepared(str(folder))
    said = []
    data = _prepare(tmp_path, log=said.append)
    assert said[0] == f"resuming {folder}: 5 of 6 shards are there"
    data.check()


def test_data_dir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot make the folder .* data_dir"):
        _prepare(tmp_path / "file")


def test_interrupted_run_of_another_request_is_overwritten(prepared, tmp_path):
    def stop(message):
        if message.startswith("writing") and "validation" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(tmp_path, FakeProblem(salt="x"), num_shards=9, log=stop)
    data = _prepare(tmp_path)
    assert data.data_hash == prepared.data_hash
    assert set(os.listdir(data.folder)) == set(os.listdir(prepared.folder))


_PROGRAM = """
import sys
from t2t_lite.data import prepare
from tests.data.fake import FakeProblem
data = prepare(FakeProblem(delay=float(sys.argv[2])), "bpe", 300, sys.argv[1],
               num_shards=5)
print(data.data_hash)
"""


def _start(data_dir, delay):
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(data_dir), str(delay)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_killed_run_is_taken_up(prepared, tmp_path):
    process = _start(tmp_path, 0.04)
    folder = tmp_path / "fake-bpe300"
    _wait_for(lambda: _journalled(folder), process)
    (folder / ".x.tmp").write_text("of an earlier kill")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "manifest.json").exists()
    kept = {name: _stamps(str(folder))[name] for name in _journalled(folder)}
    said = []
    data = _prepare(tmp_path, log=said.append)
    assert said[0] == f"resuming {folder}: {len(kept)} of 6 shards are there"
    assert data.data_hash == prepared.data_hash
    assert kept.items() <= _stamps(data.folder).items()
    assert set(os.listdir(data.folder)) == set(os.listdir(prepared.folder))
    assert os.listdir(tmp_path) == ["fake-bpe300"]


def test_shard_damaged_after_the_kill_is_written_again(prepared, tmp_path):
    def stop(message):
        if message.startswith("writing") and "validation" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(tmp_path, log=stop)
    name = "train-00002-of-00005.tfrecord.gz"
    _flip(tmp_path / "fake-bpe300" / name)
    said = []
    data = _prepare(tmp_path, log=said.append)
    assert f"{name} was damaged since: writing it again" in said
    assert data.data_hash == prepared.data_hash


def test_two_processes_wait_for_one_another(prepared, tmp_path):
    processes = [_start(tmp_path, 0.05) for _ in range(2)]
    output = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    hashes = [text.split()[-1] for text in output]
    assert hashes == [prepared.data_hash] * 2
    assert sum("training the vocabulary" in text for text in output) == 1
    assert os.listdir(tmp_path) == ["fake-bpe300"]


def test_lock_is_freed_and_removed(tmp_path):
    folder = str(tmp_path / "x")
    for _ in range(2):
        with folder_lock(folder, waiting=pytest.fail):
            assert os.listdir(tmp_path) == [".x.lock"]
    assert os.listdir(tmp_path) == []


def test_package_is_light_to_import():
    program = (
        "import sys, t2t_lite.data\n"
        "heavy = {'tensorflow', 'sentencepiece', 'keras'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_prepared_folder_is_named_without_a_source():
    folder = prepared_folder(FakeProblem(), "unigram", 8000, "/d")
    assert folder == "/d/fake-unigram8000"


def _journalled(folder):
    """Returns the files of the finished shards of an unfinished run."""
    partial = manifests.read_partial(str(folder)) or {"splits": {}}
    return [
        shard["file"]
        for split in partial["splits"].values()
        for shard in split["shards"]
        if shard
    ]


def _wait_for(condition, process):
    while not condition():
        assert process.poll() is None, "the process ended before the kill"
        time.sleep(0.005)


def _stamps(folder):
    return {
        name: os.stat(os.path.join(folder, name)).st_mtime_ns
        for name in os.listdir(folder)
    }


def _temporaries(path):
    return [p for p in path.rglob(".*") if p.suffix in (".tmp", ".lock")]


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_vocabulary_that_is_given_is_taken_as_it_is(prepared, tmp_path):
    problem = FakeProblem(salt="other")
    problem.vocab_file = prepared.folder
    data = _prepare(tmp_path, problem)
    content = prepared.encoder.to_bytes()
    assert data.encoder.to_bytes() == content
    digest = sha256_of_bytes(content)
    assert data.manifest["vocabulary"] == digest
    assert data.folder == str(tmp_path / f"fake-bpe300-{digest[:8]}")
    assert open_prepared(data.folder).data_hash == data.data_hash
    assert "vocabulary" not in prepared.manifest
    ids = data.split("train").load().row("inputs", 0)
    text = next(problem.examples("train"))["inputs"]
    assert data.encoder.decode(ids) == text
    problem.vocab_file = str(tmp_path / "none.model")
    with pytest.raises(UserError, match="cannot read the vocabulary"):
        _prepare(tmp_path, problem)
