"""TensorFlow's greetings are dropped, its news are not."""

import subprocess
import sys

from t2t_lite.trainer.cli import quiet


def test_news_are_kept():
    assert quiet._is_news(b"E0000 libdevice not found\n")
    assert not quiet._is_news(
        b"I0000 cudart_stub.cc:31] Could not find cuda drivers on your "
        b"machine, GPU will not be used.\n"
    )


def test_import_prints_nothing_and_gives_stderr_back():
    script = (
        "from t2t_lite.trainer.cli import quiet\n"
        "quiet.import_tensorflow()\n"
        "import sys\n"
        "assert 'tensorflow' in sys.modules\n"
        "print('mine', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    lines = done.stderr.splitlines()
    assert [x for x in lines if "cuda drivers" in x or "oneDNN" in x] == []
    assert lines[-1] == "mine"
