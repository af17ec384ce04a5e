"""A test server with TensorFlow Serving's gRPC and REST interfaces.

It is not TensorFlow Serving: it answers PredictionService.Predict and
GetModelMetadata (the real protocol buffers) and REST's :predict, /metadata and
status on 127.0.0.1, from a SavedModel that TensorFlow's session loader has
loaded. `batching` merges concurrent requests as the real one does.

    with serve(saved_model_dir) as server:
        subprocess.run([..., f"--server={server.rest}"])
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from tests.serving import rest
from tests.serving.batching import (
    Batcher,
    FullError,
    Parameters,
    ShapesError,
)
from tests.serving.session_model import RequestError, SessionModel

_THREADS = 64  # requests that a batch may be made of


class NotFoundError(LookupError):
    """No such model or version."""


class NotReadyError(RuntimeError):
    """The server was told to refuse this many requests first."""


@dataclasses.dataclass
class PredictionServer:
    """What both interfaces share, and where they listen.

    Args:
        model: SessionModel that answers.
        name: str, the model's name.
        version: int, its only version.
        delay: float, seconds to wait before each answer.
        refusals: int, how many requests to refuse first as "not ready".
        batching: Parameters of --enable_batching; None = without.
    """

    model: SessionModel
    name: str = "t2t_lite"
    version: int = 1
    delay: float = 0.0
    refusals: int = 0
    batching: Parameters | None = None
    requests: int = 0
    grpc: str = ""
    rest: str = ""

    def __post_init__(self):
        self._counting = threading.Lock()
        self.batcher = None
        if self.batching:
            self.batcher = Batcher(self.model.run, self.batching)

    def check_model(self, name: str, version: int | None) -> None:
        """Raises NotFoundError unless the model is this one."""
        if name != self.name or version not in (None, self.version):
            latest = "Latest" if version is None else "Specific"
            number = "" if version is None else f", {version}"
            raise NotFoundError(
                f"Servable not found for request: {latest}({name}{number})"
            )

    def predict(self, inputs: dict, signature: str) -> dict:
        """Answers one request, after the delay and the refusals."""
        with self._counting:
            self.requests += 1
            refused = self.requests <= self.refusals
        if refused:
            raise NotReadyError("the model is loading")
        time.sleep(self.delay)
        inputs = self.model.filled(inputs, signature)
        run = self.batcher.predict if self.batcher else self.model.run
        return run(inputs, signature)

    def signatures(self) -> SignatureDefMap:
        """Returns all SignatureDefs, as metadata has them."""
        return SignatureDefMap(signature_def=self.model.signatures)

    def close(self) -> None:
        """Frees what it holds."""
        if self.batcher:
            self.batcher.close()
        self.model.close()


class _Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    _CODES = {
        NotFoundError: grpc.StatusCode.NOT_FOUND,
        NotReadyError: grpc.StatusCode.UNAVAILABLE,
        FullError: grpc.StatusCode.UNAVAILABLE,
        ShapesError: grpc.StatusCode.FAILED_PRECONDITION,
        RequestError: grpc.StatusCode.INVALID_ARGUMENT,
    }

    def __init__(self, server: PredictionServer):
        self._server = server

    @contextlib.contextmanager
    def _checked(self, spec, context):
        """Checks the model; turns this server's errors into gRPC's."""
        asked = spec.version.value if spec.HasField("version") else None
        try:
            self._server.check_model(spec.name, asked)
            yield
        except tuple(self._CODES) as error:
            context.abort(self._CODES[type(error)], str(error))

    def GetModelMetadata(self, request, context):  # noqa: N802
        response = GetModelMetadataResponse()
        with self._checked(request.model_spec, context):
            response.model_spec.name = self._server.name
            for field in request.metadata_field:
                response.metadata[field].Pack(self._server.signatures())
        return response

    def Predict(self, request, context):  # noqa: N802
        spec = request.model_spec
        signature = spec.signature_name or "serving_default"
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        with self._checked(spec, context):
            outputs = self._server.predict(inputs, signature)
        response = PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.signature_name = signature
        response.model_spec.version.value = self._server.version
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    wbufsize = -1
    _CODES = {
        NotFoundError: 404,
        NotReadyError: 503,
        FullError: 503,
        ShapesError: 400,
        RequestError: 400,
    }

    def do_GET(self):
        self._reply(lambda server: rest.get(server, self.path))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._reply(lambda server: rest.predict(server, self.path, body))

    def _reply(self, answer):
        try:
            code, found = 200, answer(self.server.prediction_server)
        except tuple(self._CODES) as error:
            code, found = self._CODES[type(error)], {"error": str(error)}
        content = rest.dumps(found)
        # A client whose deadline has passed is no longer there.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format, *args):
        """Keeps the test's output quiet."""


class _HttpServer(http.server.ThreadingHTTPServer):
    request_queue_size = 128


@contextlib.contextmanager
def serve(saved_model_dir: str, **options) -> Iterator[PredictionServer]:
    """Serves a SavedModel on two free ports until its block ends.

    Args:
        saved_model_dir: str, the folder that holds saved_model.pb.
        **options: see PredictionServer.
    Yields:
        PredictionServer, whose `grpc` and `rest` are "127.0.0.1:port".
    """
    server = PredictionServer(SessionModel(saved_model_dir), **options)
    grpc_server = grpc.server(futures.ThreadPoolExecutor(_THREADS))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Servicer(server), grpc_server
    )
    server.grpc = f"127.0.0.1:{grpc_server.add_insecure_port('127.0.0.1:0')}"
    http_server = _HttpServer(("127.0.0.1", 0), _Handler)
    http_server.prediction_server = server
    server.rest = f"127.0.0.1:{http_server.server_port}"
    thread = threading.Thread(
        target=http_server.serve_forever, args=(0.05,), daemon=True
    )
    grpc_server.start()
    thread.start()
    try:
        yield server
    finally:
        grpc_server.stop(grace=None).wait()
        http_server.shutdown()
        http_server.server_close()
        thread.join()
        server.close()
