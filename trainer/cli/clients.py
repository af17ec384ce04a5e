"""TensorFlow Serving's REST and gRPC, as far as `t2t_lite_query` uses them.

A client's `predict` and `signature` make one try each. They raise `UserError`
where the server refuses what was asked, `NotReadyError` where a later try may
succeed, and `ServerError` for the rest; `ask` does the tries.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from t2t_lite.errors import UserError, closest
from t2t_lite.trainer.cli.command import CommandError
from t2t_lite.trainer.cli.quiet import import_tensorflow
from t2t_lite.trainer.cli.signatures import (
    SEARCHES,
    Signature,
    read_signature,
)

T = TypeVar("T")
_FIRST_WAIT = 0.5
_METADATA = "signature_def"


class ServerError(CommandError):
    """The server failed; the message is one line that names it."""


class NotReadyError(ServerError):
    """The server is not reached or not ready: another try may succeed."""


class LateError(ServerError):
    """The answer did not come in time; another try would wait as long."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What is asked, and where.

    Args:
        server: str, "host:port", or for REST also a URL without "/v1".
        model_name: str, the model's name in the server.
        version: int, or None for the latest.
        signature: str, the signature's key; None = the one that searches, if
            the model has one, else serving_default.
        timeout: float, seconds that one try may take.
    """

    server: str
    model_name: str
    version: int | None
    signature: str | None
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

    def busy(self, said: str) -> NotReadyError:
        """The error for a server that cannot take the request now."""
        return NotReadyError(f"{self.server} is not ready: {_one_line(said)}")

    def failed(self, said: str) -> ServerError:
        """The error for what no client can mend."""
        return ServerError(
            f"{self.server} failed: {_one_line(said)}; see its log"
        )

    def named(self, definitions: Any) -> Target:
        """Returns the target with the name of one of the SignatureDefs."""
        if self.signature is not None:
            return self
        there = [name for name in SEARCHES if name in definitions]
        name = there[0] if there else "serving_default"
        return dataclasses.replace(self, signature=name)

    def find(self, definitions: Any) -> Signature:
        """Returns the signature's inputs among the server's SignatureDefs."""
        if self.signature not in definitions:
            names = [n for n in definitions if not n.startswith("__")]
            raise UserError(
                f"{self.server} has no signature {self.signature!r} in "
                f"{self.model()}{closest(self.signature, names)}; there are "
                f"{', '.join(sorted(names))}; check --signature"
            )
        try:
            return read_signature(definitions[self.signature])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{self.server}: the signature {self.signature!r} of "
                f"{self.model()} has inputs that t2t_lite_query does not know "
                f"({error!r:.200})"
            ) from error

    def late(self) -> LateError:
        """The error for an answer that does not come in time."""
        return LateError(
            f"no answer from {self.server} within {self.timeout:g} seconds; "
            "raise --timeout or lower --batch_size"
        )


class Client(Protocol):
    """One try at what a server is asked.

    Attributes:
        target: Target; `signature` names its signature.
    """

    target: Target

    def predict(self, inputs: Mapping[str, list]) -> dict[str, list]:
        """Returns every output of the signature, a list each."""

    def signature(self) -> Signature:
        """Returns what the signature takes."""


def ask(call: Callable[[], T], retries: int) -> T:
    """Returns what `call` returns, tried again where that may help.

    A prediction changes nothing in the server, so each may be made again.
    What is tried again is what the server did not begin: it was not reached,
    or said that it was not ready or had too much to do. A try that ran out of
    time is not, for the server was at work on it and would be again.

    Args:
        call: makes one try.
        retries: int, further tries after `NotReadyError`; the wait between
            them doubles from half a second.
    Raises:
        ServerError: the server fails, or answers with something else.
        UserError: the server refuses what was asked.
    """
    for attempt in range(retries):
        try:
            return call()
        except NotReadyError:
            time.sleep(_FIRST_WAIT * 2**attempt)
    return call()


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
        self.url = f"{base}/v1/models/{target.model_name}{version}"
        self._session: Any = None

    def predict(self, inputs: Mapping[str, list]) -> dict[str, list]:
        """Returns the outputs by name; raises as the module's text says."""
        body = {
            "signature_name": self.target.signature,
            "inputs": {
                name: values.tolist() if hasattr(values, "tolist") else values
                for name, values in inputs.items()
            },
        }
        answer = self._answer("POST", ":predict", body)
        if "outputs" not in answer:
            raise self.target.failed("an answer without outputs")
        outputs = answer["outputs"]
        # A signature with one output is answered without the output's name.
        return outputs if isinstance(outputs, dict) else {"outputs": outputs}

    def signature(self) -> Signature:
        """Returns what it takes; raises as the module's text says."""
        answer = self._answer("GET", "/metadata")
        try:
            definitions = answer["metadata"][_METADATA][_METADATA]
        except (KeyError, TypeError) as error:
            raise self.target.failed("metadata without signatures") from error
        self.target = self.target.named(definitions)
        return self.target.find(definitions)

    def _answer(self, method: str, path: str, body: Any = None) -> dict:
        import requests

        self._session = self._session or requests.Session()
        try:
            response = self._session.request(
                method, self.url + path, json=body, timeout=self.target.timeout
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
        return self._checked(response)

    def _checked(self, response: Any) -> dict:
        try:
            # A byte vocabulary's tokens may be parts of characters: `json()`
            # would take the whole answer for Latin-1 then.
            answer = json.loads(response.content.decode("utf-8", "replace"))
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
            raise self.target.busy(said)
        if response.status_code == 504:
            raise self.target.late()
        if response.status_code != 200:
            raise self.target.failed(said)
        return answer


class GrpcClient:
    """Predicts with PredictionService over an unencrypted channel.

    Args:
        target: Target, what is asked, and where.
    Raises:
        UserError: grpcio or tensorflow-serving-api is not installed.
    """

    _OPTIONS = (
        ("grpc.enable_http_proxy", 0),
        # gRPC's own limit is 4 MiB, which attention may exceed.
        ("grpc.max_receive_message_length", -1),
    )

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
        channel = grpc.insecure_channel(target.server, self._OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(self, inputs: Mapping[str, list]) -> dict[str, list]:
        """Returns the outputs by name; raises as the module's text says."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = self.target.signature
        for name, rows in inputs.items():
            # str, int, float and bool become four types of an export; arrays
            # of images and clips have theirs.
            request.inputs[name].CopyFrom(tf.make_tensor_proto(rows))
        answer = self._answer(self._stub.Predict, request)
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

    def signature(self) -> Signature:
        """Returns what it takes; raises as the module's text says."""
        from google.protobuf import json_format
        from tensorflow_serving.apis import get_model_metadata_pb2 as metadata

        request = metadata.GetModelMetadataRequest(metadata_field=[_METADATA])
        answer = self._answer(self._stub.GetModelMetadata, request)
        definitions = metadata.SignatureDefMap()
        answer.metadata[_METADATA].Unpack(definitions)
        found = json_format.MessageToDict(
            definitions, preserving_proto_field_name=True
        )
        definitions = found.get(_METADATA, {})
        self.target = self.target.named(definitions)
        return self.target.find(definitions)

    def _answer(self, method: Any, request: Any) -> Any:
        import grpc

        request.model_spec.name = self.target.model_name
        if self.target.version is not None:
            request.model_spec.version.value = self.target.version
        try:
            return method(request, timeout=self.target.timeout)
        except grpc.RpcError as error:
            raise self._failure(error) from error

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
            # gRPC's own words; what else is said came from the server.
            if re.match("failed to connect|errors resolving|DNS|$", said):
                return self.target.unreached()
            return self.target.busy(said)
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return self.target.late()
        return self.target.failed(f"{code.name}: {said}")


def _texts(value: Any) -> Any:
    """Decodes bytes in nested lists."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())
