"""The test server as a process of its own.

    python -m tests.serving --model_dir=RUN/export

It prints a line of JSON, where it listens, and ends when its input does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from t2t_lite.trainer import packed_weights
from t2t_lite.trainer.cli.quiet import import_tensorflow


def version_folder(path: str) -> tuple[str, int]:
    """Returns the folder and the number of a version.

    Args:
        path: str, a version's folder, or that of all versions, of which the
            highest is taken.
    """
    if os.path.exists(os.path.join(path, "saved_model.pb")):
        name = os.path.basename(os.path.abspath(path))
        return path, int(name) if name.isdigit() else 1
    names = os.listdir(path) if os.path.isdir(path) else []
    numbers = [int(name) for name in names if name.isdigit()]
    if not numbers:
        sys.exit(
            f"--model_dir={path}: no SavedModel there; give the folder of an "
            "export, or of one of its versions"
        )
    return version_folder(os.path.join(path, str(max(numbers))))


def main() -> None:
    """Parses the arguments and serves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model_dir", required=True)
    parser.add_argument("--model_name", default="t2t_lite")
    parser.add_argument("--batching_parameters_file")
    args = parser.parse_args()
    folder, version = version_folder(args.model_dir)
    packed_weights.pack_once()  # as the documented container does
    import_tensorflow()
    from tests.serving import batching, server

    parameters = None
    if args.batching_parameters_file:
        with open(args.batching_parameters_file) as file:
            parameters = batching.read_parameters(file.read())
    with server.serve(
        folder, name=args.model_name, version=version, batching=parameters
    ) as running:
        place = {"grpc": running.grpc, "rest": running.rest}
        print(json.dumps(place), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
