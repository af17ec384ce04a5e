"""t2t_lite_demo as a process, and its page in headless Chromium."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse

import matplotlib.image
import pytest
import requests

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WAIT = 120_000  # milliseconds; the machine may have other work


@pytest.fixture(scope="module")
def server(user_run):
    """The running command: its process and its page's address."""
    pytest.importorskip("gradio", reason="the extra is not installed")
    command = [sys.executable, "-m", "t2t_lite.trainer.cli.demo", "--port=0"]
    process = subprocess.Popen(
        [*command, f"--output_dir={user_run}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # In the background of a shell it would be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    printed = [process.stdout.readline() for _ in range(3)]
    try:
        yield process, printed
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def address(server):
    return re.search(r"http://127\.0\.0\.1:\d+/", server[1][1]).group()


@pytest.fixture
def page(tmp_path):
    """A page of 1280 x 800; `page.asked` are the addresses it asked for."""
    sync_api = pytest.importorskip("playwright.sync_api")
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)} is installed")
    with (
        sync_api.sync_playwright() as playwright,
        contextlib.closing(
            playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
        ) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(WAIT)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        yield page


def test_first_lines_say_model_page_and_end(server, user_run, address):
    assert server[1] == [
        f"model: {user_run}\n",
        f"page: {address}\n",
        "Ctrl-C stops it.\n",
    ]
    config = requests.get(address + "config", timeout=60).json()
    assert config["analytics_enabled"] is False


def test_page_in_a_browser(page, address, tmp_path):
    page.goto(address)
    page.fill("#text textarea", "ONE TWO\nTHREE")
    page.click("#translate")
    page.wait_for_selector("#map .xtick text")
    results = page.locator("#table [role=gridcell][aria-colindex='3']")
    assert results.count() == 4  # two of each line
    for score in results.all_inner_texts():
        assert re.fullmatch(r"-\d+\.\d{3}", score.strip())
    assert page.locator("#map .xtick text").last.text_content() == "</s>"
    assert page.locator("#map .ytick text").count() > 0
    page.screenshot(path=tmp_path / "page.png")
    _check_picture(tmp_path / "page.png", page.locator("#map"))
    hosts = {
        urllib.parse.urlsplit(url).netloc
        for url in page.asked
        if not url.startswith(("data:", "blob:"))
    }
    assert hosts == {urllib.parse.urlsplit(address).netloc}


def _check_picture(path, part):
    """Asserts that a screenshot shows the page, and colours in `part`."""
    pixels = matplotlib.image.imread(path)[..., :3]
    assert pixels.shape == (800, 1280, 3)
    assert pixels.std() > 0.05
    box = part.bounding_box()
    top, left = int(box["y"]), int(box["x"])
    inside = pixels[top:, left : left + int(box["width"])]
    blue = (inside[..., 2] - inside[..., 0]) > 0.2
    assert blue.mean() > 0.01


def test_a_mistake_is_a_line_and_the_page_goes_on(page, address):
    page.goto(address)
    page.fill("#text textarea", "ONE")
    page.fill("#beam_size input", "0")
    page.click("#translate")
    message = page.locator("#message")
    message.get_by_text("Not translated").wait_for()
    assert message.locator("textarea").input_value() == (
        "beam_size: expected an integer of at least 1, got 0"
    )
    assert page.locator("#map .xtick").count() == 0
    page.fill("#beam_size input", "3")
    page.click("#translate")
    page.wait_for_selector("#map .xtick text")
    assert message.get_by_text("Not translated").count() == 0


def test_control_c_ends_it_with_a_page_open(server, address):
    process, _ = server
    with requests.get(
        f"{address}gradio_api/heartbeat/open", stream=True, timeout=60
    ) as stream:
        assert stream.status_code == 200
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert error.splitlines()[-1].endswith(": interrupted")
    assert "Traceback" not in error
