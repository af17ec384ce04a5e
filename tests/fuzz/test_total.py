"""The suite as a whole: enough inputs, each part run by a test."""

import pathlib
import re

from tests.fuzz import counting

FOLDER = pathlib.Path(__file__).parent


def test_at_least_500_malformed_inputs():
    assert sum(counting.INPUTS.values()) >= 500


def test_every_part_is_run():
    """`counting.run` fails where fewer inputs than the table says came."""
    tests = "".join(path.read_text() for path in FOLDER.glob("test_*.py"))
    calls = re.findall(r'(?:run|collected)\(\s*"([a-z_ ]+)"', tests)
    assert sorted(calls) == sorted(counting.INPUTS)
