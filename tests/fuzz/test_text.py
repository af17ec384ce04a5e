"""Text that users give: files to decode and to learn from, and strings."""

import gzip
import json

from hypothesis import strategies as st

from t2t_lite import hparams as hp
from t2t_lite.decoding.lines import map_lines, read_lines
from t2t_lite.decoding.options import SearchOptions
from t2t_lite.decoding.results import ResultWriter
from t2t_lite.errors import UserError
from t2t_lite.problems import create, text_files
from tests.fuzz import counting, mutations
from tests.models_for_tests import tiny_hparams

_PARTS = (
    b"\n",
    b"\r\n",
    b"\r",
    b"a word",
    b"\t",
    b"a\tb\n",
    b"\0",
    b"\x0c\x0b\x1c\x7f",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xf0\x9f\x98\x80",
    b"x" * 5000,
)
GZIP = gzip.compress(b"a\tb\n\xc3\xa4\tc\n" * 20)


def _contents():
    """Draws files: plain, packed, and packed and then damaged."""
    plain = st.lists(st.sampled_from(_PARTS) | st.binary(max_size=4)).map(
        b"".join
    )
    return st.one_of(plain, plain.map(gzip.compress), mutations.mangled(GZIP))


def _num_lines(content):
    """What any tool counts: line feeds, and a last line without one."""
    return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))


def _decode(source, target):
    """What the decoder does, with a model that shouts."""
    with ResultWriter(str(target)) as writer:
        for line, output in map_lines(
            lambda batch: [item.text.upper() for item in batch],
            read_lines(str(source)),
            batch_tokens=100,
            window=8,
        ):
            writer.write(line, [output], [0.0])


def test_decode_files(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"

    def attempt(content):
        target.unlink(missing_ok=True)
        source.write_bytes(content)
        packed = content.startswith(b"\x1f\x8b")
        try:
            _decode(source, target)
        except UserError as error:
            counting.check_message(error)
            assert packed or content.startswith((b"\xff\xfe", b"\xfe\xff"))
            assert not target.exists()
            return
        lines_in = _num_lines(gzip.decompress(content) if packed else content)
        written = target.read_bytes()
        assert _num_lines(written) == lines_in
        assert len(written.decode("utf-8").splitlines()) == lines_in

    counting.run("decode files", attempt, _contents())


def test_training_files(tmp_path):
    names = st.sampled_from(["a.tsv", "a.tsv.gz", "a.txt", "a.gz"])

    def attempt(drawn):
        name, content = drawn
        path = tmp_path / name
        path.write_bytes(content)
        target = None if ".tsv" in name else str(path)
        try:
            count = len(list(text_files.read_pairs(str(path), target)))
            if name.endswith(".gz"):
                content = gzip.decompress(content)
            assert count == _num_lines(content)
            options = {"train_source": str(path), "train_target": target}
            problem = create("translate_files", options)
            for split in problem.splits:
                for example in problem.examples(split):
                    assert example["inputs"].strip()
                    assert "\n" not in example["inputs"] + example["targets"]
        except UserError as error:
            counting.check_message(error, str(path))

    counting.run("training files", attempt, st.tuples(names, _contents()))


def _overrides(names):
    """Draws strings such as "hidden_size=nan,,=,hidden_size=1"."""
    numbers = st.sampled_from(mutations.NUMBERS).map(str)
    values = st.one_of(
        numbers,
        st.integers(-5, 10**12).map(str),
        st.sampled_from(
            ["none", "true", "", "4.5", "1_0", "\u0663", "9" * 5000]
        ),
        st.text(max_size=10),
    )
    named = st.tuples(st.sampled_from(names), values).map("=".join)
    return st.one_of(
        st.lists(named | st.text(max_size=10), max_size=4).map(",".join),
        named,
        st.text(max_size=60),
        st.sampled_from(names).map(lambda name: name + "=" + "[" * 10**5),
    )


def test_hparams_strings():
    start = tiny_hparams()
    names = [*hp.field_types(type(start)), "hiden_size", "", "__class__"]

    def attempt(text):
        try:
            changed = hp.override(start, text)
        except UserError as error:
            counting.check_message(error)
            return
        values = json.loads(hp.to_json(changed))
        assert hp.from_dict(type(start), values, "x") == changed

    counting.run("hparams strings", attempt, _overrides(names))


def test_decode_hparams_strings():
    names = [*hp.field_types(SearchOptions), "return_beams", "beem_size"]

    def attempt(text):
        try:
            options = SearchOptions.parse(text)
        except UserError as error:
            counting.check_message(error, "decode_hparams: ")
            return
        assert 1 <= options.num_results <= options.beam_size <= 1024
        assert 0 <= options.extra_length <= 1 << 16

    counting.run("decode_hparams strings", attempt, _overrides(names))
