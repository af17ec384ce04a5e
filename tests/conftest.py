"""Two virtual CPU devices for every test, so that mirroring can be tested.

And an exported translator and its servers, which take long enough to be made
once.
"""

import contextlib
import ctypes
import gc
import io
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import t2t_lite  # noqa: F401 before TensorFlow, as in every command

# isort: split
import keras
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from t2t_lite.trainer.cli.quiet import look_for_garbage_seldom

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
look_for_garbage_seldom()  # as in every command
gc.freeze()


def pytest_configure(config):
    """Registers, in the process that reports, what prints failures."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(config))


class Failures:
    """Prints each failure as it comes: a run may be stopped before its end."""

    def __init__(self, config):
        self._config = config

    def pytest_runtest_logreport(self, report):
        if report.failed:
            printer = self._config.pluginmanager.getplugin("terminalreporter")
            printer.write_line("")
            printer.write_line(
                f"{report.nodeid}: {report.when} failed", red=True
            )
            crash = getattr(report.longrepr, "reprcrash", None)
            printer.write_line(str(crash or report.longreprtext))


@pytest.fixture(autouse=True, scope="module")
def memory_is_given_back():
    """Frees what a file's models and graphs held.

    TensorFlow keeps the gradient of every traced `tf.custom_gradient` for
    ever, and with it the whole graph: 200 MB a training, 15 GB a run of all
    tests. No gradient of a graph is taken after the file that traced it.
    """
    yield
    kept = ops.gradient_registry._registry
    for name in [n for n in kept if n.startswith("CustomGradient-")]:
        del kept[name]
    keras.backend.clear_session()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def translator_export(tmp_path_factory):
    """The folder of a version of tests.serving.tiny's translator."""
    from tests.serving import tiny

    return tiny.save_translator(tmp_path_factory.mktemp("translator"))


@pytest.fixture(scope="session")
def translator_server(translator_export):
    """A test server of the translator."""
    from tests.serving import server

    with server.serve(translator_export, name="ende") as running:
        yield running


@pytest.fixture(scope="session")
def merging_server(translator_export):
    """The same, of which each batch waits until it has 6 rows."""
    from tests.serving import batching, server

    parameters = batching.Parameters(
        max_batch_size=6,
        batch_timeout_micros=600_000_000,
        pad_variable_length_inputs=True,
    )
    with server.serve(
        translator_export, name="ende", batching=parameters
    ) as running:
        yield running


@pytest.fixture(scope="session")
def task_run(tmp_path_factory):
    """task_run(kind) -> the folder of a finished run, made once.

    Its prepared data lie beside it, in `data`.
    """
    from tests import task_runs

    found = {}

    def get(kind):
        if kind not in found:
            folder = tmp_path_factory.mktemp(kind)
            # What a test that asks for it prints is read by that test.
            with contextlib.redirect_stdout(io.StringIO()):
                found[kind] = task_runs.finished(folder, kind)
        return found[kind]

    return get
