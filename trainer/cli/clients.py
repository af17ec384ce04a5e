"""TensorFlow Serving's REST and gRPC, as far as `t2t_lite_query` uses them.

A client's `predict(texts)` makes one try. It raises `UserError` where the
server refuses what was asked, `NotReadyError` where a later try may succeed,
and `ServerError` for the rest; `ask` does the tries.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Protocol

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli.command import CommandError
from t2t_lite.trainer.cli.quiet import import_tensorflow

_FIRST_WAIT = 0.5
Answer = dict[str, Any]


class ServerError(CommandError):
    """The server failed; the message is one line that names it."""


class NotReadyError(ServerError):
    """The server is not reached or not ready: another try may succeed."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What is asked, and where.

    Args:
        server: str, "host:port", or for REST also a URL without "/v1".
        model_name: str, the model's name in the server.
        version: int, or None for the latest.
        signature: str, the signature's key.
        timeout: float, seconds that one try may take.
    """

    server: str
    model_name: str
    version: int | None
    signature: str
    timeout: float

    def model(self) -> str:
        """Names the model for messages."""
        version = "" if self.version is None else f", version {self.version}"
        return f"model {self.model_name!r}{version}"

    def missing(self, said: str) -> UserError:
        """The error for a model that the server does not have."""
        return UserError(
            f"{self.server} has no {self.model()}; check --model_name and "
            f"--version ({_one_line(said)})"
        )

    def refused(self, said: str) -> UserError:
        """The error for a request that the server does not accept."""
        return UserError(
            f"{self.server} refused the request to {self.model()}, signature "
            f"{self.signature!r}: {_one_line(said)}; check --signature"
        )

    def unreached(self) -> NotReadyError:
        """The error for a server that does not answer at all."""
        return NotReadyError(
            f"cannot reach {self.server}; check --server and --protocol, and "
            "that the server runs"
        )

    def late(self) -> ServerError:
        """The error for an answer that does not come in time."""
        return ServerError(
            f"no answer from {self.server} within {self.timeout:g} seconds; "
            "raise --timeout or lower --batch_size"
        )


class Client(Protocol):
    """One try at a prediction."""

    def predict(self, texts: list[str]) -> dict[str, list]:
        """Returns every output of the signature: a list as long as `texts`."""


def ask(client: Client, texts: list[str], retries: int) -> list[Answer]:
    """Returns for each text {"outputs": str, "scores": float, ...}.

    Args:
        client: RestClient or GrpcClient.
        texts: one request's sentences.
        retries: int, further tries after `NotReadyError`; the wait between them
            doubles from half a second.
    Raises:
        ServerError: the server fails, or answers with something else.
        UserError: the server refuses what was asked.
    """
    for attempt in range(retries + 1):
        try:
            columns = client.predict(texts)
            break
        except NotReadyError:
            if attempt == retries:
                raise
            time.sleep(_FIRST_WAIT * 2**attempt)
    if "outputs" not in columns:
        raise UserError(
            "the signature has no output 'outputs', only "
            f"{', '.join(sorted(columns))}; check --signature"
        )
    if not all(
        isinstance(column, list) and len(column) == len(texts)
        for column in columns.values()
    ):
        raise ServerError(f"the answer to {len(texts)} texts is not as long")
    return [
        {name: columns[name][row] for name in columns}
        for row in range(len(texts))
    ]


class RestClient:
    """Predicts over HTTP, in the column format ("inputs" and "outputs").

    Args:
        target: Target, what is asked, and where.
    """

    def __init__(self, target: Target):
        base = target.server.rstrip("/")
        if "://" not in base:
            base = f"http://{base}"
        version = (
            "" if target.version is None else f"/versions/{target.version}"
        )
        self.target = target
        self.url = f"{base}/v1/models/{target.model_name}{version}:predict"

    def predict(self, texts: list[str]) -> dict[str, list]:
        """Returns the outputs by name; raises as the module's text says."""
        import requests

        body = {
            "signature_name": self.target.signature,
            "inputs": {"inputs": texts},
        }
        try:
            response = requests.post(
                self.url, json=body, timeout=self.target.timeout
            )
        except requests.exceptions.ConnectTimeout as error:
            raise self.target.unreached() from error
        except requests.exceptions.Timeout as error:
            raise self.target.late() from error
        except requests.exceptions.ConnectionError as error:
            raise self.target.unreached() from error
        except (requests.exceptions.RequestException, ValueError) as error:
            raise UserError(
                f"--server={self.target.server}: {error}"
            ) from error
        return self._outputs(response)

    def _outputs(self, response: Any) -> dict[str, list]:
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = {}
        if not isinstance(answer, dict):
            answer = {}
        said = str(answer.get("error", f"HTTP status {response.status_code}"))
        if response.status_code == 404:
            raise self.target.missing(said)
        if response.status_code == 400:
            raise self.target.refused(said)
        if response.status_code in (429, 503):
            raise NotReadyError(
                f"{self.target.server} is not ready: {_one_line(said)}"
            )
        if response.status_code == 504:
            raise self.target.late()
        if response.status_code != 200 or "outputs" not in answer:
            raise ServerError(
                f"{self.target.server} failed: {_one_line(said)}; see its log"
            )
        outputs = answer["outputs"]
        # A signature with one output is answered without the output's name.
        return outputs if isinstance(outputs, dict) else {"outputs": outputs}


class GrpcClient:
    """Predicts with PredictionService.Predict over an unencrypted channel.

    Args:
        target: Target, what is asked, and where.
    Raises:
        UserError: grpcio or tensorflow-serving-api is not installed.
    """

    def __init__(self, target: Target):
        import_tensorflow()  # which the next modules import with its noise
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ModuleNotFoundError as error:
            raise UserError(
                f"--protocol=grpc needs the module {error.name}: "
                "pip install 't2t_lite[serving]', or use --protocol=rest"
            ) from error
        self.target = target
        channel = grpc.insecure_channel(
            target.server, [("grpc.enable_http_proxy", 0)]
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(self, texts: list[str]) -> dict[str, list]:
        """Returns the outputs by name; raises as the module's text says."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.target.model_name
        request.model_spec.signature_name = self.target.signature
        if self.target.version is not None:
            request.model_spec.version.value = self.target.version
        request.inputs["inputs"].CopyFrom(
            tf.make_tensor_proto(texts, dtype=tf.string)
        )
        try:
            answer = self._stub.Predict(request, timeout=self.target.timeout)
        except grpc.RpcError as error:
            raise self._failure(error) from error
        try:
            return {
                name: _texts(tf.make_ndarray(tensor).tolist())
                for name, tensor in answer.outputs.items()
            }
        except (TypeError, ValueError) as error:
            raise ServerError(
                f"{self.target.server} sent no tensors: "
                f"{_one_line(str(error))}; see its log"
            ) from error

    def _failure(self, error: Any) -> Exception:
        import grpc

        said = error.details() or ""
        code = error.code()
        if code == grpc.StatusCode.NOT_FOUND:
            return self.target.missing(said)
        if code in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.FAILED_PRECONDITION,
        ):
            return self.target.refused(said)
        if code == grpc.StatusCode.UNAVAILABLE:
            return self.target.unreached()
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return self.target.late()
        return ServerError(
            f"{self.target.server} failed with {code.name}: "
            f"{_one_line(said)}; see its log"
        )


def _texts(value: Any) -> Any:
    """Decodes bytes in nested lists."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())
