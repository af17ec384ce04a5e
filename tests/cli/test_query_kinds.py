"""t2t_lite_query with models of labels, images, speech and language."""

import contextlib
import json

import pytest

import t2t_lite
from tests.selection import few
from tests.serving import server as serving

both = pytest.mark.parametrize("protocol", few(["rest", "grpc"]))


@pytest.fixture(scope="module")
def served(task_run):
    """served(kind) -> a test server of a run's export."""
    with contextlib.ExitStack() as stack:
        found = {}

        def get(kind):
            if kind not in found:
                folder = str(task_run(kind) / "export" / "1")
                running = serving.serve(folder, name=kind)
                found[kind] = stack.enter_context(running)
            return found[kind]

        yield get


@pytest.fixture
def ask_kind(ask, served):
    """Asks the server of a kind; returns (status, output, error)."""

    def call(kind, protocol, *flags, stdin=b""):
        return ask(
            f"--protocol={protocol}",
            f"--server={getattr(served(kind), protocol)}",
            f"--model_name={kind}",
            *flags,
            stdin=stdin,
        )

    return call


@both
@pytest.mark.parametrize(
    ("kind", "flags"),
    few([("image", ()), ("speech", ("--sample_rate=8000",))]),
)
def test_files_are_read_and_sent(
    ask_kind, task_run, files, kind, flags, protocol
):
    paths = files[kind]
    lines = "".join(f"{path}\n" for path in paths).encode()
    status, out, err = ask_kind(kind, protocol, *flags, stdin=lines)
    assert (status, err) == (0, "")
    predictor = t2t_lite.load(str(task_run(kind)))
    found = predictor([predictor.source(path) for path in paths])
    assert out.splitlines() == [" ".join(o.splitlines()) for o in found]


@both
def test_all_labels_and_their_probabilities(
    ask_kind, task_run, files, protocol
):
    path = files["image"][1]
    status, out, err = ask_kind(
        "image", protocol, "--signature=classify", f"--text={path}"
    )
    assert (status, err) == (0, "")
    answer = json.loads(out)
    predictor = t2t_lite.load(str(task_run("image")))
    expected = predictor.probabilities([predictor.source(path)])[0]
    assert answer["inputs"] == path
    assert answer["labels"] == list(expected)
    assert answer["probabilities"] == pytest.approx(
        list(expected.values()), rel=1e-4
    )


@both
def test_continuations_take_wishes(ask_kind, task_run, protocol):
    line = {"inputs": "one", "num_results": 2, "beam_size": 2}
    status, out, err = ask_kind(
        "language",
        protocol,
        "--input_format=jsonl",
        stdin=json.dumps(line).encode() + b"\n",
    )
    assert (status, err) == (0, "")
    predictor = t2t_lite.load(str(task_run("language")))
    (expected,) = predictor.predict(["one"], num_results=2, beam_size=2)
    assert json.loads(out)["outputs"] == expected.outputs


@both
def test_texts_are_rated_token_by_token(ask_kind, task_run, protocol):
    status, out, err = ask_kind(
        "language", protocol, "--signature=score", "--text=dog", "--text=a"
    )
    assert (status, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert first["tokens"] == ["d", "o", "g"]
    assert len(second["token_log_probs"]) == 1
    predictor = t2t_lite.load(str(task_run("language")))
    scores = predictor.score(["dog", "a"])
    assert [first["log_probs"], second["log_probs"]] == pytest.approx(
        scores, rel=1e-4
    )
    assert sum(first["token_log_probs"]) == pytest.approx(scores[0], rel=1e-4)


@both
def test_blanks_of_a_batch_are_each_lines_own(ask_kind, protocol):
    status, out, err = ask_kind(
        "blanks",
        protocol,
        "--signature=fill",
        "--text=one <mask>",
        "--text=dog",
        "--text=<mask> <mask>",
    )
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [len(row["tokens"]) for row in rows] == [1, 0, 2]
    assert [len(row["probabilities"]) for row in rows] == [1, 0, 2]


def test_a_classifier_takes_lines_of_json(ask_kind):
    status, out, err = ask_kind(
        "label",
        "rest",
        "--input_format=jsonl",
        stdin=b'{"inputs": "one small dog"}\n',
    )
    assert (status, err) == (0, "")
    assert out.strip() in ("no", "yes")


@pytest.mark.parametrize(
    ("kind", "flags", "said"),
    [
        ("speech", ["--text=x"], "--sample_rate is missing: the model takes w"),
        (
            "image",
            ["--sample_rate=8000", "--text=x"],
            "--sample_rate: the model takes im",
        ),
        (
            "label",
            ["--sample_rate=8000", "--text=x"],
            "--sample_rate: the model takes te",
        ),
        ("image", ["--text=/no.png"], "--text: /no.png: cannot be read: No s"),
        (
            "speech",
            ["--sample_rate=16000", "--text={wav}"],
            "8000 samples a second, but the model takes 16000; resample it",
        ),
        (
            "label",
            ["--decode_hparams=beam_size=8", "--text=a"],
            "--decode_hparams: beam_size: no input of 'serving_default'; there",
        ),
        (
            "language",
            ["--signature=translate", "--text=a"],
            "has no signature 'translate' in model 'language'; there are conti",
        ),
    ],
)
def test_mistakes_are_one_line(ask_kind, files, kind, flags, said):
    flags = [flag.format(wav=files["speech"][0]) for flag in flags]
    status, out, err = ask_kind(kind, "rest", *flags)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
