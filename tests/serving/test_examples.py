"""The files of docs/examples/serving, against the test server."""

import json
import subprocess
import sys

import pytest
import requests
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tests.serving import batching
from tests.serving.test_batching import EXAMPLES


def test_batching_parameters_merge_what_clients_send():
    path = EXAMPLES / "batching_parameters.txt"
    found = batching.read_parameters(path.read_text())
    assert found.pad_variable_length_inputs
    assert found.max_batch_size >= 32  # t2t_lite_query's --batch_size
    assert found.batch_timeout_micros > 0


def test_model_file_is_the_servers():
    path = EXAMPLES / "models.config"
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(path.read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.model_platform) == ("ende", "tensorflow")
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}


@pytest.fixture(scope="module")
def server(translator_export):
    """As docs/serving.md starts one, with the documented parameters."""
    from tests.serving.server import serve

    text = (EXAMPLES / "batching_parameters.txt").read_text()
    parameters = batching.read_parameters(text)
    with serve(translator_export, name="ende", batching=parameters) as running:
        yield running


def test_the_whole_request_is_whole(server):
    request = json.loads((EXAMPLES / "translate.json").read_text())
    names = server.model.definition("translate").inputs
    assert set(request["inputs"]) == set(names)
    url = f"http://{server.rest}/v1/models/ende:predict"
    answer = requests.post(url, json=request, timeout=60)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["outputs"]["outputs"]) == 2
    # What makes the file necessary:
    del request["inputs"]["top_k"]
    answer = requests.post(url, json=request, timeout=60)
    assert answer.status_code == 400
    assert "Missing named input: top_k" in answer.json()["error"]


def run(name, *arguments):
    """Returns what an example prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rest_example(server):
    lines = run("ask_rest.py", f"http://{server.rest}", "ende").splitlines()
    assert lines[0] == "He slept."
    assert lines[4] == "A dog."
    assert len(lines) == 6


def test_grpc_example(server):
    lines = run("ask_grpc.py", server.grpc, "ende").splitlines()
    assert len(lines) == 2
    assert all(float(line.split("  ")[0]) < 0 for line in lines)
