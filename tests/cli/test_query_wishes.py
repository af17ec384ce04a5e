"""t2t_lite_query with wishes, over REST and gRPC, from an exported model."""

import json
import subprocess
import sys

import pytest

from tests.cli.test_query import both, where


def lines_of(*objects):
    return "".join(json.dumps(each) + "\n" for each in objects).encode()


@both
def test_each_line_of_json_has_its_wishes(ask, translator_server, protocol):
    status, out, err = ask(
        *where(translator_server, protocol),
        "--input_format=jsonl",
        "--batch_size=3",
        "--decode_hparams=num_results=2,max_length=7",
        stdin=lines_of(
            {"inputs": "one two dog"},
            {"input": "red", "prefix": "old", "beam_size": 5, "num_results": 4},
            {"inputs": "big", "required": ["five", "new"], "max_length": 12},
            {"inputs": "six", "forbidden": ["small"], "return_attention": True},
        ),
    )
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["inputs"] for row in rows] == [
        "one two dog",
        "red",
        "big",
        "six",
    ]
    assert [len(row["outputs"]) for row in rows] == [2, 4, 2, 2]
    assert [len(row["scores"]) for row in rows] == [2, 4, 2, 2]
    assert all(text.startswith("old ") for text in rows[1]["outputs"])
    assert all({"five", "new"} <= set(x.split()) for x in rows[2]["outputs"])
    assert not any("small" in text for text in rows[3]["outputs"])
    assert all(max(row["lengths"]) <= 7 for row in (*rows[:2], rows[3]))
    for row in rows:
        assert row["output_tokens"] == [
            "\u2581" + w for w in row["outputs"][0].split()
        ]
        assert row["input_tokens"][-1] == "</s>"
    assert [("attention" in row) for row in rows] == [False] * 3 + [True]
    looks = [len(look) for look in rows[3]["attention"]]
    assert looks == [2] * len(rows[3]["output_tokens"])


@both
def test_wishes_of_all_lines_and_text(ask, translator_server, protocol):
    plain = ask(
        *where(translator_server, protocol), "--text=one two", "--text="
    )
    assert plain[::2] == (0, "")
    status, out, _ = ask(
        *where(translator_server, protocol),
        "--decode_hparams=return_beams=2",
        "--format=text",
        "--text=one two",
        "--text=",
    )
    assert (status, out) == plain[:2]
    assert out.splitlines()[1] == ""


@both
def test_given_translations_are_rated(ask, translator_server, protocol):
    place = where(translator_server, protocol)
    _, out, _ = ask(*place, "--format=json", "--text=one two dog")
    best = json.loads(out)
    status, out, err = ask(
        *place,
        "--signature=score",
        "--input_format=jsonl",
        stdin=lines_of(
            {"inputs": "one two dog", "targets": best["outputs"]},
            {"inputs": "one", "targets": "dog", "alpha": 0},
        ),
    )
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[0]["targets"] == best["outputs"]
    assert rows[1]["tokens"] == ["\u2581dog", "</s>"]
    for row in rows:
        assert len(row["token_log_probs"]) == len(row["tokens"])
        assert row["log_probs"] == pytest.approx(sum(row["token_log_probs"]))
    assert rows[1]["scores"] == pytest.approx(rows[1]["log_probs"])
    assert rows[0]["scores"] > rows[0]["log_probs"]


@both
def test_sentence_vectors(ask, translator_server, protocol):
    found = ask(
        *where(translator_server, protocol),
        "--signature=encode",
        stdin=b"one\ntwo\n",
    )
    assert found[::2] == (0, "")
    rows = [json.loads(line) for line in found[1].splitlines()]
    assert [row["inputs"] for row in rows] == ["one", "two"]
    assert [len(row["vectors"]) for row in rows] == [16, 16]
    assert rows[0]["vectors"] != rows[1]["vectors"]


@both
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"ONE", 'line 2: expected an object with "inputs", a string, got'),
        (b'{"inputs": 3}', "line 2: expected an object with"),
        (b"[" * 100_000, "line 2: expected an object with"),
        (
            b'{"inputs": "a", "beam_sise": 3}',
            "line 2: beam_sise: no wish of a search (did you mean 'beam_size'",
        ),
        (
            b'{"inputs": "a", "beam_size": 0}',
            "line 2: decode_hparams: beam_size: expected an integer of at lea",
        ),
        (
            b'{"inputs": "a", "beam_size": "4"}',
            "line 2: beam_size: expected int32, got '4'",
        ),
        (
            b'{"inputs": "a", "alpha": true}',
            "line 2: alpha: expected float32, got True",
        ),
        (
            b'{"inputs": "a", "prefix": "\\ud800"}',
            "line 2: prefix: expected string, got '\\ud800'",
        ),
        (
            b'{"inputs": "a", "required": "Hund"}',
            "line 2: required: expected a list of phrases, got 'Hund'",
        ),
        (
            b'{"inputs": "a", "targets": "b"}',
            "line 2: targets: no input of 'translate'",
        ),
        (
            b'{"inputs": "a", "num_results": 5, "beam_size": 4}',
            "line 2: decode_hparams: num_results: expected at most beam_size=4",
        ),
    ],
)
def test_wrong_wishes_are_named(ask, translator_server, protocol, line, said):
    before = translator_server.requests
    status, out, err = ask(
        *where(translator_server, protocol),
        "--input_format=jsonl",
        stdin=b'{"inputs": "one"}\n' + line + b"\n",
    )
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert translator_server.requests == before


def test_what_has_no_default_has_to_be_given(ask, translator_server):
    found = ask(
        *where(translator_server, "rest"), "--signature=score", "--text=one two"
    )
    assert found[:2] == (2, "")
    assert "--text: targets is missing: the signature 'score' has" in found[2]


@both
def test_wishes_do_not_depend_on_a_servers_batching(
    ask, translator_server, merging_server, protocol
):
    """A server that merges wants as many rows of every input."""
    lines = lines_of(
        {"inputs": "one two dog", "required": ["new", "old"]},
        {"inputs": "four", "num_results": 2},
    )

    def answers(server, stdin):
        found = ask(
            *where(server, protocol), "--input_format=jsonl", stdin=stdin
        )
        return (
            found[0],
            [json.loads(x) for x in found[1].splitlines()],
            found[2],
        )

    _, alone, _ = answers(translator_server, lines)
    _, merged, _ = answers(merging_server, lines * 3)
    for one, other in zip(alone * 3, merged, strict=True):
        assert one["outputs"] == other["outputs"]
        assert one["scores"] == pytest.approx(other["scores"], rel=1e-4)
    status, _, error = answers(merging_server, lines * 4)
    assert status == 2
    assert "Task size 8 is larger than maximum input batch size 6" in error


@pytest.mark.parametrize("wishes", [[], ["--decode_hparams=beam_size=2"]])
def test_rest_does_not_load_tensorflow(translator_server, wishes):
    source = (
        "import sys\n"
        "from t2t_lite.trainer.cli import query\n"
        "try:\n"
        "    query.main()\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        "assert not {'tensorflow', 'grpc'} & set(sys.modules)\n"
    )
    flags = [
        *where(translator_server, "rest"),
        *wishes,
        "--text=",
        "--format=text",
    ]
    done = subprocess.run(
        [sys.executable, "-c", source, *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
