"""Requests that a server merges: TensorFlow Serving's rules, and our promise
that what a client gets does not depend on the others in its batch."""

import concurrent.futures
import pathlib
import threading
import time

import numpy as np
import pytest
from google.protobuf import text_format

from t2t_lite.trainer.cli import clients, signatures
from t2t_lite.trainer.cli.answers import rows_of
from tests.models_for_tests import WORDS
from tests.serving import batching
from tests.serving.batching import Batcher, Parameters, ShapesError
from tests.serving.session_model import RequestError

EXAMPLES = pathlib.Path(__file__).parents[2] / "docs/examples/serving"
# What four clients of one server ask for at once.
WISHES = [
    {"inputs": "one two dog", "beam_size": 6, "num_results": 3},
    {"inputs": "red", "prefix": "old dog", "alpha": 0.0},
    {"inputs": "big black dog", "required": ["five", "new"], "max_length": 12},
    {
        "inputs": "six",
        "forbidden": ["small", "eight"],
        "required": ["seven"],
        "return_attention": True,
    },
    {"inputs": "four", "temperature": 1.0, "num_results": 2, "seed": 5},
    {"inputs": "white", "num_groups": 2, "beam_size": 4, "num_results": 4},
]


@pytest.fixture
def batcher():
    """batcher(run, **parameters) -> Batcher, ended at the test's end."""
    made = []

    def make(run, **parameters):
        made.append(Batcher(run, Parameters(**parameters)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def at_once(function, items):
    """Returns function(item) of all items, called on a thread each."""
    with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(function, items))


def doubled(inputs, signature):
    del signature
    return {"y": inputs["x"] * 2}


def test_concurrent_requests_share_a_batch(batcher):
    waits = {"max_batch_size": 4, "batch_timeout_micros": 10_000_000}
    merged = batcher(doubled, **waits)
    parts = [np.array([1, 2]), np.array([3]), np.array([4])]
    found = at_once(lambda x: merged.predict({"x": x}, "s")["y"], parts)
    assert [y.tolist() for y in found] == [[2, 4], [6], [8]]
    assert merged.sizes == [3]


def test_signatures_do_not_share_a_batch_and_a_batch_does_not_wait_for_ever(
    batcher,
):
    seen = []

    def run(inputs, signature):
        seen.append((signature, inputs["x"].tolist()))
        return inputs

    merged = batcher(run, batch_timeout_micros=200_000, num_batch_threads=1)
    at_once(lambda s: merged.predict({"x": np.array([7])}, s), ["a", "b", "b"])
    assert sorted(seen) == [("a", [7]), ("b", [7, 7])]


def test_a_batch_is_filled_up_with_the_last_ones_first_row(batcher):
    seen = []

    def run(inputs, signature):
        seen.append(inputs["x"].tolist())
        return {"y": inputs["x"]}

    merged = batcher(run, max_batch_size=4, allowed_batch_sizes=(2, 4))
    found = merged.predict({"x": np.array([1, 2, 3])}, "s")
    assert found["y"].tolist() == [1, 2, 3]
    assert seen == [[1, 2, 3, 1]]


def test_other_axes_are_filled_up_with_a_requests_first_element(batcher):
    parts = [np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)]
    waits = {"max_batch_size": 2, "batch_timeout_micros": 10_000_000}

    def widths(merged):
        def predict(x):
            return merged.predict({"x": x}, "s")["x"].tolist()

        return at_once(predict, parts)

    def echo(inputs, signature):
        return inputs

    padding = batcher(echo, pad_variable_length_inputs=True, **waits)
    assert widths(padding) == [[[b"a", b"b"]], [[b"c", b"c"]]]
    with pytest.raises(ShapesError, match="padding is turned off"):
        widths(batcher(echo, **waits))


def test_what_is_no_batch_is_refused(batcher):
    merged = batcher(doubled, max_batch_size=2)
    rows = {"x": np.zeros(2), "alpha": np.zeros(1)}
    with pytest.raises(RequestError, match="equal 0th-dimension"):
        merged.predict(rows, "s")
    with pytest.raises(RequestError, match="at least one dimension"):
        merged.predict({"x": np.array(1)}, "s")
    with pytest.raises(RequestError, match="Task size 3 is larger"):
        merged.predict({"x": np.zeros(3)}, "s")
    scalar = batcher(lambda inputs, _: {"y": np.array(1)})
    with pytest.raises(ShapesError, match="output tensor y"):
        scalar.predict({"x": np.zeros(1)}, "s")


def test_a_full_queue_is_said(batcher):
    begun, go_on = threading.Event(), threading.Event()

    def run(inputs, signature):
        begun.set()
        go_on.wait(60)
        return inputs

    merged = batcher(
        run, max_batch_size=1, max_enqueued_batches=1, num_batch_threads=1
    )
    ask = {"x": np.zeros(1)}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(merged.predict, ask, "s")
        begun.wait(60)
        second = pool.submit(merged.predict, ask, "s")
        while not merged.enqueued("s"):
            time.sleep(0.01)
        with pytest.raises(batching.FullError, match="submitted is full"):
            merged.predict(ask, "s")
        go_on.set()
        assert first.result(60).keys() == second.result(60).keys() == {"x"}


def test_parameters_are_read_and_checked():
    text = (
        "max_batch_size { value: 8 } allowed_batch_sizes: 4 "
        "allowed_batch_sizes: 8 thread_pool_name { value: 'x' }"
    )
    found = batching.read_parameters(text)
    assert (found.max_batch_size, found.allowed_batch_sizes) == (8, (4, 8))
    assert found.max_enqueued_batches == 10
    with pytest.raises(ValueError, match="expected to rise to max_batch_size"):
        batching.read_parameters("allowed_batch_sizes: 4")
    with pytest.raises(text_format.ParseError, match="batch_timeout"):
        batching.read_parameters("batch_timeout { value: 1 }")


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client_of(request):
    """client_of(server) -> a client of its `translate`."""
    kind = {"grpc": clients.GrpcClient, "rest": clients.RestClient}

    def make(server):
        place = getattr(server, request.param)
        return kind[request.param](
            clients.Target(place, server.name, None, "translate", 120.0)
        )

    return make


def ask(client, signature, wishes):
    """Returns the answers to some lines, sent as one request."""
    rows = [signatures.checked("translate", signature, each) for each in wishes]
    inputs = signatures.columns(signature, rows)
    return rows_of(client.predict(inputs), rows)


def same(alone, together):
    """Compares answers: texts exactly, numbers up to a batch's rounding."""
    assert alone.keys() == together.keys()
    for name, value in alone.items():
        if name in ("scores", "attention"):
            np.testing.assert_allclose(
                value, together[name], rtol=1e-4, atol=1e-4
            )
        else:
            assert together[name] == value, name


def test_answers_do_not_depend_on_who_shares_the_batch(
    translator_server, merging_server, client_of
):
    client = client_of(translator_server)
    signature = client.signature()
    alone = [ask(client, signature, [each])[0] for each in WISHES]
    client = client_of(merging_server)
    merging_server.batcher.sizes.clear()
    together = at_once(lambda each: ask(client, signature, [each])[0], WISHES)
    assert merging_server.batcher.sizes == [len(WISHES)]
    for expected, found in zip(alone, together, strict=True):
        same(expected, found)
    # And as the rows of one request.
    for expected, found in zip(
        alone, ask(client, signature, WISHES), strict=True
    ):
        same(expected, found)


def test_the_answers_are_what_was_asked_for(translator_server, client_of):
    client = client_of(translator_server)
    found = ask(client, client.signature(), WISHES)
    assert [len(each["outputs"]) for each in found] == [3, 1, 1, 1, 2, 4]
    assert found[1]["outputs"][0].startswith("old dog")
    assert {"five", "new"} <= set(found[2]["outputs"][0].split())
    words = found[3]["outputs"][0].split()
    assert "seven" in words
    assert not {"small", "eight"} & set(words)
    assert ["attention" in each for each in found] == [False] * 3 + [
        True,
        False,
        False,
    ]
    shape = np.shape(found[3]["attention"])
    sides = (len(found[3][f"{s}_tokens"]) for s in ("output", "input"))
    assert shape == tuple(sides)
    assert set(words) <= set(WORDS)
