"""SearchOptions: typed parsing, and one clear message per mistake."""

import pytest

from t2t_lite.decoding.options import SearchOptions
from t2t_lite.errors import UserError


def test_parse_is_typed():
    options = SearchOptions.parse(
        "beam_size=6, alpha=1,extra_length=10,batch_size=512,"
        "max_input_length=99"
    )
    assert options == SearchOptions(
        beam_size=6,
        alpha=1.0,
        extra_length=10,
        batch_size=512,
        max_input_length=99,
    )
    assert isinstance(options.alpha, float)
    assert SearchOptions.parse("") == SearchOptions()
    assert SearchOptions.parse("max_input_length=none") == SearchOptions()


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("return_beams=true", 4),
        ("return_beams=False", 1),
        ("return_beams=3", 3),
        ("num_results=2", 2),
        ("beam_size=7,return_beams=True", 7),
    ],
)
def test_return_beams_is_num_results(text, results):
    assert SearchOptions.parse(text).num_results == results


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("beam_sise=4", r"'beam_sise' \(did you mean 'beam_size'"),
        ("beam_size=four", "decode_hparams: beam_size: expected int"),
        ("beam_size=0", "beam_size: expected an integer of at least 1, got 0"),
        ("beam_size=4.5", "beam_size: expected int, got '4.5'"),
        ("beam_size", "is not of the form name=value"),
        ("beam_size=4,beam_size=5", "'beam_size' is given twice"),
        ("alpha=-0.5", "alpha: expected a number from 0 to 7, got -0.5"),
        ("alpha=nan", "alpha: expected a number from 0 to 7, got nan"),
        ("alpha=inf", "alpha: expected a number from 0 to 7, got inf"),
        ("num_results=5", "num_results: expected at most beam_size=4, got 5"),
        ("return_beams=5", "num_results: expected at most beam_size=4, got 5"),
        ("return_beams=0", "num_results: expected an integer of at least 1"),
        ("return_beams=some", "return_beams: expected true, false or a number"),
        ("return_beams=2,num_results=2", "two names of one option"),
        ("pad_id=1", "unknown option 'pad_id'"),
        ("extra_length=-1", "extra_length: expected an integer of at least 0"),
        ("max_input_length=0", "max_input_length: expected an integer"),
        ("batch_size=99999999999", "batch_size: expected an integer"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(UserError, match=message):
        SearchOptions.parse(text)


def test_constructor_refuses_wrong_types():
    with pytest.raises(UserError, match="beam_size: expected an integer"):
        SearchOptions(beam_size=True)
    with pytest.raises(UserError, match="alpha: expected a number"):
        SearchOptions(alpha="0.6")
    assert SearchOptions(alpha=1).alpha == 1.0


def test_end_mark_and_padding_differ():
    with pytest.raises(UserError, match="another id than pad_id=1"):
        SearchOptions(pad_id=1)
