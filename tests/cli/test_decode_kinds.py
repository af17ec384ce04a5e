"""t2t_lite_decoder with runs that are no translators."""

import io
import json
import math
import re

import pytest

import t2t_lite
from t2t_lite.trainer.cli import decode
from tests.selection import few

TEXTS = ["one small dog", "", "two <mask> far", "x"]


@pytest.fixture
def run(run_command, task_run, tmp_path):
    """run(kind, lines, *flags) -> (status, text written, standard error)."""

    def call(kind, lines, *flags):
        source, target = tmp_path / "in.txt", tmp_path / "out.txt"
        source.write_text("".join(f"{line}\n" for line in lines))
        status, _, error = run_command(
            decode,
            "decode",
            f"--output_dir={task_run(kind)}",
            f"--decode_from_file={source}",
            f"--decode_to_file={target}",
            *flags,
        )
        return status, target.read_text() if target.exists() else None, error

    return call


def lines_of(kind, files):
    return files.get(kind, TEXTS)


@pytest.mark.parametrize(
    "kind", few(["label", "image", "blanks", "language", "speech"], (0, 1, 2))
)
def test_every_line_is_answered_as_python_does(run, task_run, files, kind):
    lines = lines_of(kind, files)
    status, text, error = run(kind, lines)
    assert status == 0, error
    predictor = t2t_lite.load(str(task_run(kind)))
    found = predictor([predictor.source(line) for line in lines])
    assert text == "".join(" ".join(o.splitlines()) + "\n" for o in found)


def test_json_lines_have_the_probabilities_of_all_labels(run, files):
    for kind, lines in (("label", TEXTS), ("image", files["image"])):
        status, text, error = run(kind, lines, "--format=jsonl")
        assert status == 0, error
        rows = [json.loads(line) for line in text.splitlines()]
        assert [row["input"] for row in rows] == lines
        for row in rows:
            chances = row["probabilities"]
            assert math.isclose(sum(chances.values()), 1.0, rel_tol=1e-4)
            best = max(chances, key=chances.get)
            assert row["outputs"] == [best]
            assert row["scores"] == [chances[best]]
        assert len(rows[0]["probabilities"]) == (2 if kind == "label" else 10)


def test_json_lines_have_the_tokens_of_each_blank(run):
    status, text, error = run("blanks", TEXTS, "--format=jsonl")
    assert status == 0, error
    rows = [json.loads(line) for line in text.splitlines()]
    assert [len(row["tokens"]) for row in rows] == [0, 0, 1, 0]
    assert len(rows[2]["tokens"][0]) == len(rows[2]["probabilities"][0]) == 5


def test_a_continuation_has_wishes(run):
    lines = [
        json.dumps({"input": "one", "required": ["far"], "extra_length": 30}),
        json.dumps({"input": "two", "num_results": 3, "beam_size": 3}),
    ]
    flags = ("--input_format=jsonl", "--format=jsonl")
    status, text, error = run("language", lines, *flags)
    assert status == 0, error
    rows = [json.loads(line) for line in text.splitlines()]
    assert "far" in rows[0]["outputs"][0]
    assert len(rows[1]["outputs"]) == 3


@pytest.mark.parametrize(
    ("kind", "line", "flags", "said"),
    few(
        [
            (
                "label",
                '{"input": "a", "beam_size": 4}',
                ("--input_format=jsonl",),
                "beam_size: no wish of a search; there are none",
            ),
            (
                "image",
                "/none.png",
                (),
                "line 2: /none.png: cannot be read: No su",
            ),
            ("image", "{wav}", (), "line 2: {wav}: "),
            ("speech", "{png}", (), "line 2: {png}: "),
        ],
        always=(0, 1, 2),
    ),
)
def test_mistakes_are_one_line(run, files, kind, line, flags, said):
    names = {"wav": files["speech"][0], "png": files["image"][0]}
    first = lines_of(kind, files)[0]
    if flags:
        first = json.dumps({"input": first})
    else:
        line = line.format(**names)
    status, text, error = run(kind, [first, line], *flags)
    assert status == 2
    assert text is None
    assert (said if flags else said.format(**names)) in error.splitlines()[-1]
    assert "Traceback" not in error


def test_what_is_typed_may_be_a_path(run_command, task_run, files, monkeypatch):
    typed = f"nothing.png\n{files['image'][0]}\n\n"
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode()))
    )
    status, output, error = run_command(
        decode,
        "decode",
        f"--output_dir={task_run('image')}",
        "--decode_interactive",
    )
    assert status == 0, error
    assert "Type the path of an image; an empty line" in output
    assert "(nothing.png: cannot be read: No such file" in output
    assert len(re.findall(r"\d\.\d{3}  \S", output)) == 5
