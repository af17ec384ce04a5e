"""t2t_lite_compare on runs, on text files, and on what is neither."""

import json

import pytest

from t2t_lite import metrics, significance
from t2t_lite.trainer.cli import compare
from t2t_lite.trainer.run_texts import RunTexts

REFERENCES = [f"the cat {i} sat on mat {i % 7} ." for i in range(30)]
SOURCES = [f"die Katze {i}" for i in range(30)]
WORSE = [
    text.replace("sat", "sits") if i % 3 else text
    for i, text in enumerate(REFERENCES)
]
BETTER = [
    text.replace("mat", "rug") if i % 9 == 0 else text
    for i, text in enumerate(REFERENCES)
]
FEW = ("--samples=200",)


def _run(folder, outputs, references=REFERENCES, sources=SOURCES, **changes):
    """Writes what the end of a run leaves."""
    folder.mkdir(parents=True)
    (folder / "hparams.json").write_text("{}")
    RunTexts(outputs, references, sources).write(str(folder))
    bleu, signature = metrics.bleu(outputs, references, tokenize="none")
    test = {"bleu": bleu, "bleu_signature": signature} | changes
    results = {"problem": "p", "model": "m", "seed": 1, "step": 9, "test": test}
    (folder / "results.json").write_text(json.dumps(results))
    return str(folder)


def _file(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.fixture
def ask(run_command):
    return lambda *words: run_command(compare, "compare", *words)


def test_two_runs(ask, tmp_path):
    a = _run(tmp_path / "a", WORSE)
    b = _run(tmp_path / "b", BETTER)
    file = tmp_path / "out.json"
    status, output, error = ask(a, b, *FEW, f"--json={file}")
    assert (status, error) == (0, "")
    assert f"A: {a}  p, m, seed 1\nB: {b}  p, m, seed 1\n30 lines\n" in output
    assert "p, bootstrap  p, randomization" in output
    assert "tok:none" in output
    assert "\nB is better by " in output
    report = json.loads(file.read_text())
    assert [system["path"] for system in report["systems"]] == [a, b]
    assert report["lines"] == 30
    assert report["samples"] == {"bootstrap": 200, "randomization": 200}
    (bleu,) = report["metrics"].values()
    assert bleu["scores"][0] == metrics.bleu(WORSE, REFERENCES, "none")[0]
    assert bleu["difference"] == bleu["scores"][1] - bleu["scores"][0]
    for (low, high), score in zip(
        bleu["intervals"], bleu["scores"], strict=True
    ):
        assert low < score < high
    assert set(bleu["p_values"]) == {"bootstrap", "randomization"}
    # The table is aligned: its cells stand under their headings.
    heading, row = output.splitlines()[4:6]
    assert row.index(f"{bleu['difference']:+.2f}") == heading.index("B - A")
    assert list(tmp_path.glob(".*")) == []


def test_a_run_and_another_systems_outputs(ask, tmp_path):
    a = _run(tmp_path / "a", WORSE)
    b = _file(tmp_path / "b.txt", WORSE)
    status, output, _ = ask(a, b, "--test=randomization", *FEW)
    assert status == 0
    assert "A and B have the same outputs." in output
    assert "bootstrap  " not in output
    assert "1.0000" in output


def test_two_text_files(ask, tmp_path):
    files = [_file(tmp_path / n, t) for n, t in (("a", WORSE), ("b", BETTER))]
    references = f"--references={_file(tmp_path / 'r', REFERENCES)}"
    status, output, _ = ask(*files, references, "--test=bootstrap", *FEW)
    assert status == 0
    assert "BLEU: nrefs:1|case:mixed|eff:no|tok:13a" in output
    assert "chrF: nrefs:1|case:mixed|eff:yes|nc:6" in output
    status, output, _ = ask(
        *files,
        references,
        *("--tokenize=none", "--lowercase", "--metric=bleu"),
        *FEW,
    )
    assert status == 0
    assert "BLEU: nrefs:1|case:lc|eff:no|tok:none" in output
    assert "chrF" not in output


def test_the_seed_decides(ask, tmp_path):
    a = _run(tmp_path / "a", WORSE)
    b = _run(tmp_path / "b", BETTER)
    first, again, other = (
        ask(a, b, f"--seed={seed}", *FEW)[1] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_few_differences_are_not_significant(ask, tmp_path):
    a = _run(tmp_path / "a", BETTER)
    b = _run(tmp_path / "b", [REFERENCES[0], *BETTER[1:]])
    _, output, _ = ask(a, b, *FEW)
    assert "is not significant: equal systems come out this far" in output


@pytest.mark.parametrize(
    ("prepare", "words", "message"),
    [
        (lambda p: None, ["nowhere"], "nowhere: no run folder and no text"),
        (lambda p: (p / "x").mkdir(), ["x"], "x: no run is here"),
        (
            lambda p: (p / "b" / "results.json").unlink(),
            ["b"],
            "b: the run is not finished (results.json is missing)",
        ),
        (
            lambda p: (p / "b" / "results.json").write_text("{"),
            ["b"],
            "results.json is damaged (it is no JSON)",
        ),
        (
            lambda p: (p / "b" / "results.json").write_text('{"step": 1}'),
            ["b"],
            "b: its problem has no test",
        ),
        (
            lambda p: (p / "b" / "test.references.txt").unlink(),
            ["b"],
            "b lacks test.references.txt; run its t2t_lite_trainer",
        ),
        (
            lambda p: _file(p / "b" / "test.outputs.txt", WORSE),
            ["b"],
            "but results.json says",
        ),
        (
            lambda p: _run(p / "c", BETTER[:20], REFERENCES[:20], SOURCES[:20]),
            ["c"],
            "c has 20 lines but the references of a have 30",
        ),
        (
            lambda p: _run(p / "c", BETTER, [*REFERENCES[:29], "other"]),
            ["c"],
            "a and c are of different tests: line 30 of their references is",
        ),
        (
            lambda p: _run(p / "c", BETTER, sources=["?", *SOURCES[1:]]),
            ["c"],
            "a and c are of different tests: line 1 of their sources is",
        ),
        (
            lambda p: _run(p / "c", BETTER, bleu_signature="tok:13a"),
            ["c"],
            "a and c have bleu of different kinds",
        ),
        (lambda p: None, ["b", "--references=r"], "--references=r: belongs to"),
        (lambda p: None, ["b", "--nolowercase"], "--lowercase=False: belongs"),
        (lambda p: None, ["b", "--metric=blue"], "did you mean 'bleu'"),
        (lambda p: None, ["b", "--samples=3"], "--samples=3"),
        (lambda p: None, ["b", "--seed=0"], "--seed=0"),
        (lambda p: None, ["b", "--json=no/x"], "--json=no/x: it is a folder,"),
        (lambda p: None, [], "RUN_B is missing"),
    ],
)
def test_mistakes_are_one_line(
    ask, tmp_path, monkeypatch, prepare, words, message
):
    monkeypatch.chdir(tmp_path)
    _run(tmp_path / "a", WORSE)
    _run(tmp_path / "b", BETTER)
    prepare(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    status, output, error = ask("a", *words)
    assert (status, output) == (2, "")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--references is missing"),
        (["--references=short"], "a has 30 lines but the references of short"),
        (["--references=nowhere"], "nowhere: no such file"),
        (["--references=a", "--tokenize=13b"], "did you mean '13a'"),
    ],
)
def test_mistakes_with_text_files(ask, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    _file(tmp_path / "a", WORSE)
    _file(tmp_path / "short", REFERENCES[:5])
    status, output, error = ask("a", "a", *words)
    assert (status, output) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_the_flag_names_every_tokenizer():
    named = compare.FLAGS["tokenize"].parser.enum_values
    assert tuple(named) == significance.TOKENIZERS


def test_a_run_of_a_problem_with_a_metric_of_its_own(ask, tmp_path):
    a = _run(tmp_path / "a", WORSE, bleu_signature="my own")
    status, _, error = ask(a, a)
    assert status == 2
    assert "no metric of its test is one of sacreBLEU's" in error


def test_empty_files_have_nothing_to_compare(ask, tmp_path):
    empty = _file(tmp_path / "a", [])
    status, _, error = ask(empty, empty, f"--references={empty}")
    assert status == 2
    assert "empty, so that there is nothing to compare" in error
