"""Two virtual CPU devices for every test, so that mirroring can be tested.

And an exported translator, which takes long enough to be made once.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.fixture(scope="session")
def translator_export(tmp_path_factory):
    """The folder of a version of tests.serving.tiny's translator."""
    from tests.serving import tiny

    return tiny.save_translator(tmp_path_factory.mktemp("translator"))
