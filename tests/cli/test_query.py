"""t2t_lite_query against the test server, over REST and gRPC."""

import json
import sys

import pytest

from tests.serving import server as serving
from tests.serving import tiny


@pytest.fixture(scope="module")
def shouter(tmp_path_factory):
    return tiny.save_shouter(tmp_path_factory.mktemp("shouter"))


@pytest.fixture(scope="module")
def server(shouter):
    with serving.serve(shouter, name="ende", version=3) as running:
        yield running


def where(server, protocol):
    return (
        f"--protocol={protocol}",
        f"--server={getattr(server, protocol)}",
        f"--model_name={server.name}",
    )


both = pytest.mark.parametrize("protocol", ["rest", "grpc"])


@both
def test_text(ask, server, protocol):
    found = ask(*where(server, protocol), "--text=a b", "--text", "größe")
    assert found == (0, "A B!\nGRÖSSE!\n", "")


@both
def test_json_lines_from_standard_input_in_order(ask, server, protocol):
    lines = [f"line {number} ü" for number in range(5)] + [""]
    status, out, err = ask(
        *where(server, protocol),
        "--format=json",
        "--batch_size=2",
        "--version=3",
        stdin="\n".join(lines).encode() + b"\n",
    )
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"inputs": x, "outputs": f"{x.upper()}!", "scores": -0.5 * len(x)}
        for x in lines
    ]


def test_file_keeps_one_line_an_answer(ask, server, tmp_path):
    (tmp_path / "in").write_bytes("a\r\n\nb\u2028c".encode())
    found = ask(*where(server, "rest"), f"--file={tmp_path}/in")
    assert found == (0, "A!\n!\nB C!\n", "")


def test_url_as_server(ask, server):
    url = f"--server=http://{server.rest}/"
    assert ask(url, "--model_name=ende", "--text=a")[:2] == (0, "A!\n")


@both
@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--model_name=x", "has no model 'x'; check --model_name"),
        ("--version=9", "has no model 'ende', version 9; check --model_name"),
        (
            "--signature=lenths",
            "has no signature 'lenths' in model 'ende' (did you mean "
            "'lengths'?); there are bytes, lengths, serving_default;",
        ),
    ],
)
def test_what_the_server_does_not_have(ask, server, protocol, flag, said):
    status, out, err = ask(*where(server, protocol), flag, "--text=a")
    assert (status, out) == (2, "")
    assert said in err
    assert err.startswith(f"t2t_lite_query: {getattr(server, protocol)} ")
    assert err.count("\n") == 1


def test_signature_without_the_usual_outputs(ask, server):
    status, _, err = ask(
        *where(server, "grpc"),
        "--signature=lengths",
        "--format=text",
        "--text=a",
    )
    assert status == 2
    assert "no output 'outputs', only lengths; check --signature" in err


@both
def test_what_is_no_utf8_does_not_spoil_the_rest(ask, server, protocol):
    """As a token of a byte vocabulary, which is half of a character."""
    status, out, _ = ask(
        *where(server, protocol), "--signature=bytes", "--text=ünß"
    )
    row = {"inputs": "ünß", "first": "\ufffd", "outputs": "ÜNSS"}
    assert (status, json.loads(out)) == (0, row)


@both
def test_nobody_listens(ask, protocol):
    status, out, err = ask(
        f"--protocol={protocol}", "--server=127.0.0.1:9", "--text=a"
    )
    assert (status, out) == (1, "")
    assert err == (
        "t2t_lite_query: cannot reach 127.0.0.1:9; check --server and "
        "--protocol, and that the server runs\n"
    )


@both
def test_deadline(ask, shouter, protocol):
    with serving.serve(shouter, delay=0.6) as slow:
        status, out, err = ask(
            *where(slow, protocol), "--timeout=0.2", "--text=a"
        )
    assert (status, out) == (1, "")
    assert "no answer from 127.0.0.1:" in err
    assert "within 0.2 seconds; raise --timeout" in err
    assert slow.requests == 1


@both
def test_retries(ask, shouter, protocol):
    with serving.serve(shouter, refusals=2) as loading:
        place = where(loading, protocol)
        assert ask(*place, "--text=a", "--retries=2")[:2] == (0, "A!\n")
        assert loading.requests == 3
    with serving.serve(shouter, refusals=2) as loading:
        place = where(loading, protocol)
        status, _, err = ask(*place, "--text=a", "--retries=1")
        assert status == 1
        assert "is not ready: the model is loading" in err
        assert loading.requests == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        ([], b"", "nothing to send: give --text, --file or lines on"),
        (["--text=a", "--file=b"], b"", "--text and --file: give one of"),
        ([], b"\xff\n", "standard input, line 1: not UTF-8"),
        (
            ["--text=a", "--input_format=jsonl"],
            b"",
            "--text and --input_format=jsonl: give the objects by --file",
        ),
        (
            ["--text=a", "--decode_hparams=beam=4"],
            b"",
            "unknown option 'beam' (did you mean 'beam_size' or",
        ),
        (
            [
                "--text=a",
                "--decode_hparams=beam_size=4",
                "--signature=serving_default",
            ],
            b"",
            "serving_default takes sentences alone; use --signature=translate",
        ),
        (["--timeout=0", "--text=a"], b"", "--timeout=0: "),
        (
            ["--protocol=grpc", "--server=http://x", "--text=a"],
            b"",
            "--server=http://x: gRPC takes host:port",
        ),
    ],
)
def test_mistakes(ask, arguments, stdin, said):
    status, out, err = ask(*arguments, stdin=stdin)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@both
def test_text_that_is_not_utf8_is_refused(ask, server, protocol):
    status, out, err = ask(*where(server, protocol), "--text=a\udcffb")
    assert (status, out) == (2, "")
    assert err.startswith("t2t_lite_query: --text=a?b: not UTF-8; ")
    assert err.count("\n") == 1


def test_missing_file_is_named(ask):
    status, _, err = ask("--file=/no/such/file")
    assert status == 2
    assert "--file=/no/such/file: cannot be read (No such file" in err


def test_missing_extra_is_named(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    status, _, err = ask("--protocol=grpc", "--text=a")
    assert status == 2
    assert "pip install 't2t_lite[serving]', or use --protocol=rest" in err
