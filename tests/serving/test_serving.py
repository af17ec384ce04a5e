"""The test server and the C API runner, on tiny SavedModels."""

import shutil

import pytest
import requests

from tests.serving import capi
from tests.serving.session_model import RequestError, SessionModel


@pytest.fixture(scope="module")
def shouter_model(shouter):
    model = SessionModel(shouter)
    yield model
    model.close()


def test_session_loader_restores_variables(shouter_model):
    answer = shouter_model.predict({"inputs": ["ab", "größe"]})
    assert [x.decode() for x in answer["outputs"]] == ["AB!", "GRÖSSE!"]
    assert answer["scores"].tolist() == [-1.0, -2.5]


@pytest.mark.parametrize(
    ("inputs", "signature", "message"),
    [
        ({"inputs": ["a"]}, "nothing", '"nothing" not found'),
        ({"input": ["a"]}, "serving_default", "does not match signature"),
        ({"inputs": [["a"]]}, "serving_default", "Cannot feed value of shape"),
    ],
)
def test_session_model_refuses(shouter_model, inputs, signature, message):
    with pytest.raises(RequestError, match=message):
        shouter_model.predict(inputs, signature)


def test_session_loader_knows_text_ops(pieces):
    model = SessionModel(pieces)
    answer = model.predict({"inputs": ["the small dog"]})
    assert answer["outputs"].tolist() == [b"the small dog"]
    assert answer["scores"][0] >= 3
    model.close()


def test_session_loader_refuses_an_unrestorable_model(shouter, tmp_path):
    copy = shutil.copytree(shouter, tmp_path / "copy")
    for file in (copy / "variables").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="not a valid checkpoint"):
        SessionModel(str(copy))


def test_rest_status_and_both_formats(prediction_server, shouter):
    server = prediction_server(shouter, name="ende", version=4)
    base = f"http://{server.rest}/v1/models/ende"
    status = requests.get(base, timeout=10).json()
    assert status["model_version_status"][0]["version"] == "4"
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    column = requests.post(
        f"{base}:predict", json={"inputs": {"inputs": ["a"]}}, timeout=10
    )
    assert column.json() == {"outputs": {"outputs": ["A!"], "scores": [-0.5]}}
    row = requests.post(
        f"{base}/versions/4:predict",
        json={"instances": ["a", {"b64": "w6Q="}]},
        timeout=10,
    )
    assert row.json() == {
        "predictions": [
            {"outputs": "A!", "scores": -0.5},
            {"outputs": "Ä!", "scores": -0.5},
        ]
    }


@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        ("other:predict", '{"inputs": ["a"]}', 404, "Latest(other)"),
        ("ende/versions/9:predict", '{"inputs": ["a"]}', 404, "(ende, 9)"),
        ("ende:predict", "{", 400, "JSON Parse error"),
        ("ende:predict", "{}", 400, "Missing 'inputs'"),
        ("ende:classify", "{}", 400, "Malformed request"),
        (
            "ende:predict",
            '{"signature_name": "x", "inputs": ["a"]}',
            400,
            '"x" not found',
        ),
    ],
)
def test_rest_errors(prediction_server, shouter, path, body, code, message):
    server = prediction_server(shouter, name="ende")
    url = f"http://{server.rest}/v1/models/{path}"
    answer = requests.post(url, data=body, timeout=10)
    assert answer.status_code == code
    assert message in answer.json()["error"]


def test_c_api_equals_session_loader(shouter_model, shouter):
    texts = ["ab", "größe 123, a longer sentence than a small string", ""]
    found = capi.run(shouter, texts, libraries=[])
    expected = shouter_model.predict({"inputs": texts})
    assert found["outputs"] == [x.decode() for x in expected["outputs"]]
    assert found["scores"] == expected["scores"].tolist()


def test_c_api_runs_text_ops(pieces):
    found = capi.run(pieces, ["the small dog", "the dog eats"])
    assert found["outputs"] == ["the small dog", "the dog eats"]


def test_c_api_needs_the_text_library(pieces):
    with pytest.raises(RuntimeError, match="Sentencepiece"):
        capi.run(pieces, ["the small dog"], libraries=[])
