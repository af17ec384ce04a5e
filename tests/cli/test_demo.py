"""t2t_lite_demo without a browser: answers, mistakes, and how it starts."""

import json
import socket
import sys

import numpy as np
import pytest
import tensorflow as tf

import t2t_lite
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import demo, demo_answers, demo_page
from t2t_lite.trainer.predictor import Translation


def translation(**changes):
    values = {
        "outputs": ["Ein Hund.", "Hund.", ""],
        "scores": [-0.25, -1.5, float("-inf")],
        "truncated": False,
        "lengths": [3, 2, 0],
        "finished": [True, True, False],
        "input_tokens": ["\u2581A", "\u2581<b>", " ", "\u2581"],
        "output_tokens": ["\u2581Ein", "\u2581Hund", "."],
        "attention": np.full([3, 4], 0.25, np.float32),
    }
    return Translation(**values | changes)


@pytest.fixture
def asked():
    """What the model of `model` was asked for, call by call."""
    return []


@pytest.fixture
def model(asked):
    def translate(texts, **wishes):
        asked.append((texts, wishes))
        return [translation() for _ in texts]

    options = SearchOptions(beam_size=4)
    return demo_answers.Model("x", translate, options, frozenset({"alpha"}))


@pytest.fixture
def gradio():
    return pytest.importorskip("gradio", reason="the extra is not installed")


@pytest.fixture(scope="module")
def trained(user_run):
    found = t2t_lite.load(str(user_run))
    return demo_answers.Model(
        "run",
        found.translate,
        found.options,
        frozenset(found.defaults()),
    )


def test_each_line_with_text_is_translated(model, asked):
    text = "One dog.\r\n \nTwo\x00 dogs.\ud800"
    note, lines = demo_answers.answer(model, text, {"alpha": 1.0})
    assert asked == [(["One dog.", "Two  dogs.?"], {"alpha": 1})]
    assert [(line.number, line.text) for line in lines] == [
        (1, "One dog."),
        (3, "Two  dogs.?"),
    ]
    assert note.splitlines() == [
        "line 1: 2 of 3 results were found",
        "line 3: control characters replaced by spaces",
        "line 3: 2 of 3 results were found",
    ]
    assert demo_answers.rows(lines)[:3] == [
        ["1", "1", "-0.250", "3", "Ein Hund."],
        ["1", "2", "-1.500", "2", "Hund."],
        ["3", "1", "-0.250", "3", "Ein Hund."],
    ]


@pytest.mark.parametrize("text", ["", "  \n\t\n", "\x00"])
def test_nothing_typed_is_no_mistake(model, asked, text):
    note, lines = demo_answers.answer(model, text, {})
    assert (note, lines) == ("Nothing to translate yet: type a sentence.", [])
    assert demo_answers.rows(lines) == asked == []


def test_what_is_typed_becomes_wishes():
    typed = {
        "beam_size": 4.0,
        "alpha": 0.5,
        "top_k": 0,
        "top_p": None,
        "max_length": 0,
        "prefix": " Er hat ",
        "required": "der Hund\n\n Katze\n",
        "forbidden": "",
    }
    found = demo_answers.read_wishes(typed)
    assert found == {
        "beam_size": 4,
        "alpha": 0.5,
        "top_k": 0,
        "prefix": "Er hat",
        "required": ["der Hund", "Katze"],
    }
    assert type(found["beam_size"]) is int


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"beam_size": 0}, "beam_size: expected an integer of at least 1"),
        ({"beam_size": 2.5}, "beam_size: expected an integer of at least 1"),
        ({"num_results": 5}, "num_results: expected at most beam_size=2"),
        ({"seed": 1e20}, "seed: expected an integer of at most 2147483647"),
        ({"top_p": float("nan")}, "top_p: expected a number above 0"),
        ({"prefix": "x" * 1001}, "prefix: expected at most 1,000 characters"),
        (
            {"beam_size": 129},
            "258 hypotheses: expected at most 256 for all lines",
        ),
    ],
)
def test_wrong_values_are_one_line(trained, typed, message):
    with pytest.raises(UserError, match=f"^{message}") as raised:
        demo_answers.answer(trained, "ONE\nTWO", typed)
    assert "\n" not in str(raised.value)


def test_too_many_lines_are_refused(model, asked):
    with pytest.raises(UserError, match=r"^33 lines: expected at most 32"):
        demo_answers.answer(model, "a\n" * 33, {})
    assert asked == []


def test_full_memory_is_one_line(model):
    def full(texts):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with pytest.raises(UserError, match=r"^not enough memory; give fewer"):
        demo_answers.answer(model._replace(translate=full), "a", {})


def test_anything_typed_is_answered(trained):
    text = "ten thousand words " * 3333 + "\n\U0001f600\x1b[31m <b>\u202e"
    typed = {"max_length": 3, "num_results": 2, "required": "nine"}
    note, lines = demo_answers.answer(trained, text, typed)
    length = len(lines[0].translation.input_tokens)
    assert f"line 1: input cut to {length} tokens" in note.splitlines()
    assert "line 2: control characters replaced by spaces" in note
    assert len(demo_answers.rows(lines)) == 4
    for line in lines:
        assert "nine" in line.translation.outputs[0]
        figure = demo_answers.heat_map(line.translation)
        shape = np.array(figure["data"][0]["z"]).shape
        assert shape == line.translation.attention.shape


def test_heat_map_names_tokens_of_both_sides():
    figure = demo_answers.heat_map(translation())
    layout, (trace,) = figure["layout"], figure["data"]
    assert layout["xaxis"]["ticktext"] == ["A", "&lt;b&gt;", "\u2423", "\u2581"]
    assert layout["yaxis"]["ticktext"] == ["Ein", "Hund", "."]
    assert layout["xaxis"]["title"]["text"] == "input"
    assert layout["yaxis"]["title"]["text"] == "output"
    assert trace["z"] == [[0.25] * 4] * 3
    assert trace["customdata"][1][0] == ["\u2581Hund", "\u2581A"]
    json.dumps(figure)


def test_heat_map_of_many_tokens_names_some():
    tokens = [str(number) for number in range(130)]
    figure = demo_answers.heat_map(
        translation(input_tokens=tokens, attention=np.zeros([3, 130]))
    )
    assert figure["layout"]["xaxis"]["ticktext"] == tokens[::3]
    assert figure["layout"]["xaxis"]["tickangle"] == -90


def test_page_has_what_the_model_knows(gradio, trained):
    for known in (trained.wishes, trained.wishes - {"length_offset"}):
        page = demo_page._page(gradio, trained._replace(wishes=known))
        shown = {block.elem_id for block in page.blocks.values()}
        assert ("length_offset" in shown) == ("length_offset" in known)
        assert {"beam_size", "seed", "prefix", "forbidden"} <= shown
        assert page.config["analytics_enabled"] is False


def test_page_shows_a_mistake_and_clears_the_rest(gradio, trained):
    show = demo_page._shown
    message, rows, _, picture, kept = show(
        gradio, trained, "ONE", {"beam_size": 0}
    )
    assert message.value.startswith("beam_size: expected an integer")
    assert (message.label, message.visible) == ("Not translated", True)
    assert (rows, picture.visible, kept) == ([], False, [])
    message, rows, choice, picture, kept = show(
        gradio, trained, "ONE\nTWO", {"num_results": 2}
    )
    assert message.label == "Note"
    assert choice.visible
    assert len(rows) == 4
    assert picture.visible
    assert demo_page._picture_of(gradio, kept, 1).visible


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no model: give --output_dir, a run folder"),
        (["--output_dir=/no/run"], "--output_dir=/no/run: no run is here"),
        (["--model_dir=/no/run"], "/no/run: no saved_model.pb is there"),
        (
            ["--model_dir=a", "--decode_hparams=alpha=1"],
            "--decode_hparams is of a run, --model_dir is a SavedModel",
        ),
        (
            ["--model_dir=a", "--mixed_precision=bfloat16"],
            "--mixed_precision is of a run, --model_dir is a SavedModel",
        ),
        (["--model_dir=a", "--port=70000"], "--port=70000: "),
        (["--model_dir=a", "--host=no such"], "--host=no such: "),
        (["--model_dir=a", "--host=192.0.2.1"], "no address of this machine"),
    ],
)
@pytest.mark.usefixtures("gradio")
def test_mistakes_in_flags(run_command, flags, message):
    status, output, error = run_command(demo, "demo", "--port=0", *flags)
    assert (status, output) == (2, "")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("gradio")
def test_taken_port_is_one_line(run_command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, error = run_command(
            demo, "demo", "--model_dir=a", f"--port={port}"
        )
    assert status == 1
    assert error.endswith(
        f": --port={port}: address already in use at 127.0.0.1; choose "
        "another, or 0 for a free one\n"
    )
    assert error.count("\n") == 1


def test_missing_extra_is_named(run_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    status, _, error = run_command(demo, "demo", "--model_dir=a")
    assert status == 2
    assert 'needs the module gradio: pip install ".[demo]"' in error
    assert error.count("\n") == 1


def test_addresses_are_for_a_browser():
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        found = [
            demo._address(host, place)
            for host in ("127.0.0.1", "::1", "0.0.0.0")
        ]
    assert found == [
        f"http://127.0.0.1:{port}/",
        f"http://[::1]:{port}/",
        f"http://localhost:{port}/, and at this machine's addresses",
    ]
