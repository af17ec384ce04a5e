"""Imports TensorFlow without the lines it prints on every machine."""

from __future__ import annotations

import gc
import os
import sys
import tempfile

# TF_CPP_MIN_LOG_LEVEL does not reach these: they come before it is read.
_KNOWN = (
    b"All log messages before absl::InitializeLog() is called",
    b"oneDNN custom operations are on",
    b"Could not find cuda drivers on your machine",
)


def look_for_garbage_seldom() -> None:
    """Has Python look for unreachable cycles after 10,000 objects, not 700.

    Importing TensorFlow and building graphs makes a million objects that stay:
    looking through them took a fifth of an import's time, and a tenth of an
    export's.
    """
    gc.set_threshold(10_000, 20, 20)


def import_tensorflow() -> None:
    """Imports TensorFlow; what it prints is shown but for known lines."""
    if "tensorflow" in sys.modules:
        return
    look_for_garbage_seldom()
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for drivers
            # Planned: each of the few shapes of batches is traced once.
            tf.get_logger().addFilter(
                lambda record: "function retracing" not in record.getMessage()
            )
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            os.write(2, b"".join(filter(_is_news, printed)))
    gc.freeze()  # what is imported stays


def _is_news(line: bytes) -> bool:
    return not any(known in line for known in _KNOWN)
