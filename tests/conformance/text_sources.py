"""Small sources of the problems that read files of text."""

import gzip

from tests.conformance.table import ROWS, sentences, writes

PARTS = ("train", "validation", "test")


@writes(
    "algorithmic_addition",
    "algorithmic_identity",
    "algorithmic_reverse",
    "algorithmic_sort",
)
def algorithmic(folder, name):
    return {"train_examples": ROWS, "eval_examples": 5}


@writes("translate_ende_phrasebook")
def phrasebook(folder, name):
    return {}


@writes("translate_files")
def translate_files(folder, name):
    for side in ("source", "target"):
        text = "\n".join(sentences(ROWS, side))
        (folder / f"{side}.txt").write_text(text)
    return {f"train_{s}": folder / f"{s}.txt" for s in ("source", "target")}


@writes(
    "translate_encs_multi30k",
    "translate_ende_multi30k",
    "translate_enfr_multi30k",
)
def multi30k(folder, name):
    for part in ("train", "val", "test_2016_flickr"):
        for language in ("en", name[len("translate_en") :][:2]):
            lines = "\n".join(sentences(12, language)) + "\n"
            content = gzip.compress(lines.encode())
            (folder / f"{part}.{language}.gz").write_bytes(content)
    return {"source_dir": folder}


@writes("languagemodel_files")
def languagemodel_files(folder, name):
    (folder / "train.txt").write_text("\n".join(sentences(ROWS)))
    return {"train_text": folder / "train.txt"}


@writes("languagemodel_shakespeare")
def shakespeare(folder, name):
    lines = "\n".join(f"{line}:\n{line}\n" for line in sentences(120))
    (folder / "input.txt").write_text(lines)
    return {"source_dir": folder}


@writes("languagemodel_ptb", "languagemodel_wikitext103")
def parts_of_a_corpus(folder, name):
    form = "ptb.{}.txt" if name.endswith("ptb") else "wiki.{}.raw"
    for part in ("train", "valid", "test"):
        text = "\n \n".join(sentences(12, part)) + "\n"
        (folder / form.format(part)).write_text(text)
    return {"source_dir": folder}


@writes("classify_files")
def classify_files(folder, name):
    lines = [f"{'yes' if i % 3 else 'no'}\t{t}" for i, t in _numbered()]
    (folder / "train.tsv").write_text("\n".join(lines))
    return {"train_tsv": folder / "train.tsv"}


@writes("sentiment_polarity")
def polarity(folder, name):
    for kind in ("neg", "pos"):
        text = "\n".join(sentences(ROWS, kind))
        (folder / f"rt-polarity.{kind}").write_text(text, encoding="utf-8")
    return {"source_dir": folder}


def _numbered():
    return enumerate(sentences(ROWS))


def _conll(count):
    """Returns sentences of three words, the second of which is a name."""
    return "".join(f"w{i}\tO\nn{i}\tB-person\nx\tO\n\n" for i in range(count))


@writes("ner_wnut17")
def wnut17(folder, name):
    for file in (
        "wnut17train.conll",
        "emerging.dev.conll",
        "emerging.test.annotated",
    ):
        (folder / file).write_text(_conll(12))
    return {"source_dir": folder}


@writes("tag_files")
def tag_files(folder, name):
    (folder / "train.conll").write_text(_conll(ROWS))
    return {"train_tags": folder / "train.conll"}


@writes("mix")
def mix(folder, name):
    return {
        "mix": "algorithmic_reverse:2,algorithmic_sort:1",
        "train_examples": ROWS,
        "eval_examples": 5,
    }
