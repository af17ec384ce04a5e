"""What importing the package does to the process."""

import os
import platform
import subprocess
import sys

import pytest

X86 = platform.machine().lower() in ("x86_64", "amd64")
CODE = """
import os, sys
import t2t_lite
assert "tensorflow" not in sys.modules
print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
"""


@pytest.mark.parametrize("given", [None, "0", "1"])
def test_onednn_is_on_unless_the_environment_says_otherwise(given):
    environment = dict(os.environ)
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if given is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = given
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    default = "1" if X86 else "None"
    assert done.stdout.strip() == (given or default)
