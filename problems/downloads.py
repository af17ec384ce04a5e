"""Downloads that fail fast: a probe with a short limit, then a whole file."""

from __future__ import annotations

import http.client
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from t2t_lite.errors import UserError

_PROBE_SECONDS = 5.0
_READ_SECONDS = 30.0
_LARGEST = 1 << 30
_CHUNK = 1 << 16
# Some hosts refuse Python's own name.
_HEADERS = {"User-Agent": "t2t_lite"}


def unreachable(url: str, seconds: float = _PROBE_SECONDS) -> str:
    """Returns why `url` cannot be reached, or "" if it can.

    Args:
        url: str, http or https; the environment's proxies are used.
        seconds: float, the longest wait. It covers the name look-up too,
            which no socket timeout limits: hence the thread.
    """
    reasons: list[str] = []

    def probe():
        request = urllib.request.Request(url, method="HEAD", headers=_HEADERS)
        try:
            with urllib.request.urlopen(request, timeout=seconds):
                reasons.append("")
        except (OSError, http.client.HTTPException) as error:
            reasons.append(_reason(error))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return reasons[0] if reasons else f"no answer in {seconds:g} s"


def download(url: str, path: str, check: Callable[[str], None]) -> None:
    """Downloads `url` to `path`, which appears only once it is whole.

    Args:
        url: str, where from.
        path: str, where to; its folder is made.
        check: called with the temporary file; raises UserError if the
            content is not what was expected.
    Raises:
        UserError: no network, or the content is wrong or larger than 1 GiB.
            Nothing is left.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    request = urllib.request.Request(url, headers=_HEADERS)
    try:
        with (
            urllib.request.urlopen(request, timeout=_READ_SECONDS) as response,
            open(temporary, "wb") as file,
        ):
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                if file.tell() > _LARGEST:
                    raise UserError(
                        f"cannot download {url}: more than {_LARGEST:,} bytes"
                    )
            _check_length(url, response, file.tell())
        check(temporary)
        os.replace(temporary, path)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"cannot download {url}: {_reason(error)}") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _check_length(url: str, response: Any, received: int) -> None:
    """Raises UserError if the connection ended early.

    http.client notices that only where it is asked for all bytes at once.
    """
    promised = response.headers.get("Content-Length")
    if promised is None or not promised.isdecimal():
        return
    if int(promised) != received:
        raise UserError(
            f"cannot download {url}: the connection ended after"
            f" {received:,} of {int(promised):,} bytes; try again"
        )


def _reason(error: Exception) -> str:
    """Returns the cause that urllib wraps, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()) or type(error).__name__
