"""Asks TensorFlow Serving for translations over REST.

    python ask_rest.py http://localhost:8501 ende

It needs requests. translate.json, beside this file, is the whole request.
"""

import json
import pathlib
import sys

import requests

server, model = sys.argv[1:]
path = pathlib.Path(__file__).with_name("translate.json")
request = json.loads(path.read_text())

answer = requests.post(
    f"{server}/v1/models/{model}:predict", json=request, timeout=30
)
answer.raise_for_status()
found = answer.json()["outputs"]
texts = request["inputs"]["inputs"]
for row, text in enumerate(texts):
    print(text)
    for output, score in zip(
        found["outputs"][row], found["scores"][row], strict=True
    ):
        if score > float("-inf"):  # else a result that was not asked for
            print(f"{score:8.3f}  {output}")
