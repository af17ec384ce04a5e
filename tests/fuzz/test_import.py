"""What an import reads beside tensors: vocabularies and hyperparameters."""

from hypothesis import strategies as st

from t2t_lite.data import SubwordEncoder
from t2t_lite.errors import UserError
from t2t_lite.trainer import t2t_import
from tests import t2t_files
from tests.fuzz import counting, mutations
from tests.t2t_files import ENTRIES, HPARAMS

SENTENCES = ["the small dog", "", "\U0001f600 a\0b _\\ x", "x" * 300]


def test_subword_vocabularies():
    """What is read can write and read any text."""
    good = SubwordEncoder.of_entries(ENTRIES).to_bytes()

    def attempt(content):
        try:
            encoder = SubwordEncoder(content, "v.subwords")
        except UserError as error:
            counting.check_message(error, "v.subwords")
            return
        rows = encoder.encode_batch(SENTENCES)
        assert encoder.decode_batch(rows) == SENTENCES

    mutants = st.one_of(
        mutations.mangled(good),
        st.lists(st.text(max_size=5), max_size=60).map(
            lambda more: good + "".join(f"'{e}'\n" for e in more).encode()
        ),
    )
    counting.run("subword vocabularies", attempt, mutants)


def test_hyperparameters(tmp_path):
    files = t2t_files.write(tmp_path, t2t_files.tensors(HPARAMS))
    source = t2t_import.Source(*map(str, files))

    def attempt(content):
        (tmp_path / "hparams.json").write_bytes(content)
        try:
            t2t_import.read(source)
        except UserError as error:
            counting.check_message(error)

    edits = mutations.edited(HPARAMS).map(mutations.as_json)
    mangled = mutations.mangled(mutations.as_json(HPARAMS))
    counting.run("imported hparams", attempt, st.one_of(edits, edits, mangled))
