"""What a signature takes, requests that fit it, and what came back."""

import math

import pytest

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import answers, signatures
from t2t_lite.trainer.cli.signatures import Input

TRANSLATE = {
    "inputs": Input("string"),
    "beam_size": Input("int32", 4),
    "alpha": Input("float32", 0.6),
    "max_length": Input("int32", 0),
    "required": Input("string", [""]),
    "return_attention": Input("bool", False),
}


def tensor(field, value, rank=1):
    shape = {"dim": [{"size": "1", "name": ""}] * rank}
    return {"tensor_shape": shape, field: value, "tensor_content": ""}


def test_a_definition_as_rest_and_grpc_write_it():
    kinds = {
        "inputs": "DT_STRING",
        "beam_size": "DT_INT32",
        "alpha": "DT_FLOAT",
        "max_length": "DT_INT32",
        "required": "DT_STRING",
        "return_attention": "DT_BOOL",
    }
    found = signatures.read_signature(
        {
            "inputs": {name: {"dtype": dtype} for name, dtype in kinds.items()},
            "defaults": {
                "beam_size": tensor("int_val", [4]),
                "alpha": tensor("float_val", [0.6]),
                "max_length": tensor("int_val", [0]),
                "required": tensor("string_val", [""], rank=2),
                "return_attention": tensor("bool_val", [False]),
            },
        }
    )
    assert found == TRANSLATE
    one = {"inputs": {"x": {"dtype": "DT_FLOAT"}}}
    one["defaults"] = {"x": tensor("float_val", [1])}
    assert isinstance(signatures.read_signature(one)["x"].default, float)
    with pytest.raises(KeyError, match="DT_DOUBLE"):
        signatures.read_signature({"inputs": {"x": {"dtype": "DT_DOUBLE"}}})


def test_a_request_holds_all_inputs_with_as_many_rows():
    rows = [
        {"inputs": "a", "required": ["b", "c"], "alpha": 1.0},
        {"inputs": "d", "required": ["e"], "beam_size": 2},
        {"inputs": "f"},
    ]
    assert signatures.columns(TRANSLATE, rows) == {
        "inputs": ["a", "d", "f"],
        "beam_size": [4, 2, 4],
        "alpha": [1.0, 0.6, 0.6],
        "max_length": [0, 0, 0],
        # A server fills requests up with the first phrase of the first row.
        "required": [["", "b", "c"], ["", "e", ""], ["", "", ""]],
        "return_attention": [False] * 3,
    }


def test_values_become_their_inputs_type():
    asked = {"inputs": "a", "alpha": 1, "max_length": None, "required": []}
    found = signatures.checked("translate", TRANSLATE, asked)
    assert found == {"inputs": "a", "alpha": 1.0, "required": []}
    assert isinstance(found["alpha"], float)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"beam_size": 4.0}, "beam_size: expected int32, got 4.0"),
        ({"beam_size": 1 << 31}, "beam_size: expected int32, got 2147483648"),
        ({"beam_size": True}, "beam_size: expected int32, got True"),
        ({"alpha": math.nan}, "alpha: expected float32, got nan"),
        ({"alpha": 8}, "alpha: expected a number from 0 to 7, got 8"),
        ({"return_attention": 1}, "return_attention: expected bool, got 1"),
        ({"required": ["a", "\ud800"]}, "required: expected string, got"),
        ({"max_length": [3, 4]}, "max_length: 2 values for 1 texts"),
        ({"max_lenght": 3}, "max_lenght: no wish of a search .did you mean"),
        ({"inputs": None}, "inputs is missing: the signature 'translate' has"),
    ],
)
def test_wrong_values_are_named(asked, said):
    with pytest.raises(UserError, match=said):
        signatures.checked("translate", TRANSLATE, {"inputs": "a", **asked})


def test_a_line_gets_what_it_asked_for_and_not_its_batchs_shape():
    columns = {
        "outputs": [["a", ""], ["b", "c"]],
        "scores": [[-1.0, -math.inf], [-1.0, -2.0]],
        "lengths": [[2, 0], [2, 2]],
        "finished": [[True, False], [True, False]],
        "input_tokens": [["x", "</s>", ""], ["x", "y", "</s>"]],
        "output_tokens": [["a", "</s>"], ["b", "</s>"]],
        "attention": [[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]],
        "truncated": [False, True],
    }
    first, second = answers.rows_of(columns, [{"return_attention": True}, {}])
    assert first == {
        "outputs": ["a"],
        "scores": [-1.0],
        "lengths": [2],
        "finished": [True],
        "input_tokens": ["x", "</s>"],
        "output_tokens": ["a", "</s>"],
        "attention": [[1, 2], [4, 5]],
        "truncated": False,
    }
    assert second["outputs"] == ["b", "c"]
    assert "attention" not in second
    with pytest.raises(ValueError, match="answer to 1 texts is not as long"):
        answers.rows_of(columns, [{}])


def test_rated_tokens_lose_their_padding():
    found = answers.trimmed(
        {"tokens": ["a", "</s>", ""], "token_log_probs": [-1.0, -2.0, 0.0]},
        attention=False,
    )
    assert found == {"tokens": ["a", "</s>"], "token_log_probs": [-1.0, -2.0]}
