"""Asks TensorFlow Serving for translations over gRPC.

    python ask_grpc.py localhost:8500 ende

It needs grpcio, tensorflow and tensorflow-serving-api.
"""

import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

server, model = sys.argv[1:]
service = prediction_service_pb2_grpc.PredictionServiceStub(
    grpc.insecure_channel(server)
)

request = predict_pb2.PredictRequest()
request.model_spec.name = model
request.model_spec.signature_name = "translate"
# As many rows of each as there are sentences. What is left out has its
# default; a server that batches allows that in requests of one sentence.
wishes = {"inputs": ["A dog."], "beam_size": [8], "num_results": [2]}
for name, rows in wishes.items():
    request.inputs[name].CopyFrom(tf.make_tensor_proto(rows))

answer = service.Predict(request, timeout=30)
outputs = tf.make_ndarray(answer.outputs["outputs"])
scores = tf.make_ndarray(answer.outputs["scores"])
for text, score in zip(outputs[0], scores[0], strict=True):
    print(f"{score:.3f}  {text.decode()}")
