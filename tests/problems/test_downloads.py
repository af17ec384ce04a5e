"""Downloads against a local server: whole, wrong, cut short, no network."""

import functools
import http.server
import os
import threading

import pytest

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path != "/short":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")


@pytest.fixture
def server(tmp_path):
    """Yields the address of a server whose folder holds `file`."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(
            target=running.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def _accept(path):
    assert path.endswith(".tmp")


def test_download(server, tmp_path):
    path = tmp_path / "new" / "file"
    downloads.download(f"{server}/file", str(path), _accept)
    assert path.read_bytes() == b"content"
    assert os.listdir(path.parent) == ["file"]


def _refuse(path):
    raise UserError("wrong content")


@pytest.mark.parametrize(
    ("name", "check", "message"),
    [
        ("file", _refuse, "wrong content"),
        ("short", _accept, "ended after 9 of 100 bytes"),
        ("nothing", _accept, "cannot download .*/nothing: HTTP status 404"),
    ],
)
def test_failure_leaves_nothing(server, tmp_path, name, check, message):
    folder = tmp_path / "new"
    with pytest.raises(UserError, match=message):
        downloads.download(f"{server}/{name}", str(folder / "f"), check)
    assert os.listdir(folder) == []


def test_reachable(server):
    assert downloads.unreachable(f"{server}/file") == ""


def test_unreachable_says_why(server):
    assert downloads.unreachable(f"{server}/nothing") == "HTTP status 404"
    assert "refused" in downloads.unreachable("http://127.0.0.1:9/")


def test_a_hanging_name_look_up_is_given_up_on(monkeypatch):
    forever = threading.Event()

    def hang(*_, **__):
        forever.wait()
        raise OSError("too late")

    monkeypatch.setattr(downloads.urllib.request, "urlopen", hang)
    reason = downloads.unreachable("http://example.invalid", seconds=0.1)
    forever.set()
    assert reason == "no answer in 0.1 s"
