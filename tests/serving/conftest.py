"""Fixtures: tiny SavedModels, and the test server around a SavedModel."""

import contextlib

import pytest

from tests.serving import server, tiny


@pytest.fixture(scope="session")
def shouter(tmp_path_factory):
    return tiny.save_shouter(tmp_path_factory.mktemp("shouter"))


@pytest.fixture(scope="session")
def pieces(tmp_path_factory):
    return tiny.save_pieces(tmp_path_factory.mktemp("pieces"))


@pytest.fixture
def prediction_server():
    """prediction_server(saved_model_dir, **options) -> PredictionServer."""
    with contextlib.ExitStack() as stack:
        yield lambda saved_model_dir, **options: stack.enter_context(
            server.serve(saved_model_dir, **options)
        )
