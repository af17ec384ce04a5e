"""t2t_lite_decoder: files, standard input, JSON lines, and going on."""

import io
import json
import re

import pytest

from t2t_lite.trainer.cli import decode
from tests.cli.conftest import EXAMPLE


def _one_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def test_user_folder_trains_and_decodes_every_line(run_command, user_run):
    lines = [
        b"ONE TWO",
        b"",
        b"bad \xff bytes",
        b"x" * 100_000,
        "zero\u2028nine".encode(),
        b"last without end",
    ]
    source, target = user_run.parent / "in.txt", user_run.parent / "out.txt"
    source.write_bytes(b"\n".join(lines))
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        "--decode_hparams=beam_size=1,extra_length=2",
        f"--decode_from_file={source}",
        f"--decode_to_file={target}",
    )
    assert status == 0, error
    assert target.read_bytes().count(b"\n") == len(lines)
    assert target.read_bytes().split(b"\n")[1] == b""
    assert "line 3: invalid UTF-8" in error
    assert "line 4: input cut to 256 tokens" in error


def test_json_lines_and_n_best(run_command, user_run):
    source, target = user_run.parent / "in.txt", user_run.parent / "out.jsonl"
    source.write_text("ONE\nTWO THREE\n")
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        "--decode_hparams=beam_size=3,return_beams=2,extra_length=2",
        "--format=jsonl",
        f"--decode_from_file={source}",
        f"--decode_to_file={target}",
    )
    assert status == 0, error
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["input"] for row in rows] == ["ONE", "TWO THREE"]
    assert [len(row["outputs"]) for row in rows] == [2, 2]


def test_typed_bytes_that_are_no_utf8_are_mended(
    run_command, user_run, monkeypatch
):
    typed = io.TextIOWrapper(io.BytesIO(b"ONE \xff\nTWO\n"), "utf-8")
    monkeypatch.setattr("sys.stdin", typed)
    status, output, error = run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        "--decode_hparams=beam_size=1,extra_length=2",
        "--decode_interactive",
    )
    assert status == 0, error
    assert output.count("(invalid UTF-8 replaced by U+FFFD)") == 1
    assert len(output.split("> ")) == 4


def test_unknown_set_is_refused_though_the_run_has_its_own(
    run_command, user_run
):
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        "--hparams_set=transformer_tinny",
    )
    assert status == 2
    assert "'transformer_tiny'" in _one_line(error)


def test_run_of_another_problem_is_refused(run_command, user_run):
    status, _, error = run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        "--problem=translate_ende",
    )
    assert status == 2
    assert "is a run of translate_upper_rev" in _one_line(error)


def _decode(run_command, user_run, source, target, *more):
    return run_command(
        decode,
        "decode",
        f"--output_dir={user_run}",
        f"--t2t_usr_dir={EXAMPLE}",
        f"--decode_from_file={source}",
        f"--decode_to_file={target}",
        *more,
    )


def test_each_line_of_json_has_its_wishes(run_command, user_run, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [
        {"input": "ONE"},
        {"input": "ONE", "prefix": "seven"},
        {"input": "TWO", "required": ["nine", "six"], "extra_length": 60},
        {"input": "TWO", "beam_size": 5, "num_results": 3},
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, _, error = _decode(
        run_command,
        user_run,
        source,
        target,
        "--input_format=jsonl",
        "--format=jsonl",
    )
    assert status == 0, error
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    best = [row["outputs"][0] for row in rows]
    assert [row["input"] for row in rows] == ["ONE", "ONE", "TWO", "TWO"]
    assert best[1].startswith("seven")
    assert "nine" in best[2]
    assert "six" in best[2]
    assert len(set(rows[3]["outputs"])) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ONE", 'line 2: expected an object with "input", a string'),
        ('{"input": 3}', "line 2: expected an object with"),
        ('{"input": "ONE", "beam": 3}', "line 2: beam: no wish of a search"),
        ('{"input": "ONE", "beam_size": 0}', "line 2: decode_hparams: beam"),
    ],
)
def test_bad_json_lines_are_named(
    run_command, user_run, tmp_path, line, message
):
    source, target = tmp_path / "in.jsonl", tmp_path / "out"
    source.write_text('{"input": "ONE"}\n' + line + "\n")
    status, _, error = _decode(
        run_command, user_run, source, target, "--input_format=jsonl"
    )
    assert status == 2
    assert message in error.splitlines()[-1]
    assert not target.exists()


@pytest.mark.parametrize(("kind", "lanes"), [("text", 1), ("nbest", 2)])
def test_resume_goes_on_where_it_stopped(
    run_command, user_run, tmp_path, monkeypatch, kind, lanes
):
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    whole = tmp_path / "whole.txt"
    monkeypatch.setattr(decode, "_WINDOW", 2)
    source.write_text("".join(f"{word}\n" for word in ["ONE", "TWO"] * 5))
    options = (
        f"--format={kind}",
        "--decode_hparams=beam_size=2,return_beams=2",
        f"--lanes={lanes}",
    )
    status, _, error = _decode(run_command, user_run, source, whole, *options)
    assert status == 0, error
    predict, calls = decode._predict, []

    def killed(predictor, batch):
        calls.append(len(batch))
        if len(calls) == 4:
            raise OSError(28, "No space left on device", str(target))
        return predict(predictor, batch)

    monkeypatch.setattr(decode, "_predict", killed)
    options = (*options, "--resume")
    status, _, error = _decode(run_command, user_run, source, target, *options)
    assert status == 1
    assert not target.exists()
    status, _, error = _decode(run_command, user_run, source, target, *options)
    assert status == 0, error
    assert "going on after line" in error
    found, expected = target.read_text(), whole.read_text()
    if kind == "nbest":  # scores are rounded as their batch is
        found, expected = (
            re.sub(r"-?\d+\.\d+$", "", text, flags=re.MULTILINE)
            for text in (found, expected)
        )
    assert found == expected
    # What was in work when it stopped, on each lane, is done again.
    assert sum(calls) <= 10 + 4 * lanes


@pytest.mark.parametrize("lanes", ["none", "0", "257"])
def test_lanes_are_a_number_or_auto(run_command, user_run, tmp_path, lanes):
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("ONE\n")
    status, _, error = _decode(
        run_command, user_run, source, target, f"--lanes={lanes}"
    )
    assert status == 2
    assert f"--lanes={lanes}: expected auto, or a number" in error
    assert not target.exists()


def test_resume_needs_files(run_command, user_run, tmp_path):
    status, _, error = _decode(
        run_command, user_run, "-", tmp_path / "out", "--resume"
    )
    assert status == 2
    assert "cannot be gone on with" in _one_line(error)
