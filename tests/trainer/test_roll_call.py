"""The roll call between threads that play the workers, over 127.0.0.1."""

import concurrent.futures
import json
import socket
import subprocess
import sys
import time

import pytest

from t2t_lite.trainer import roll_call
from t2t_lite.trainer.roll_call import PeerError


def free_addresses(count):
    return [f"127.0.0.1:{port}" for port in roll_call.free_ports(count)]


def attend(workers, index, seconds=10.0, delay=0.0):
    """Returns what the call raised, or None, and how long it took."""
    time.sleep(delay)
    began = time.monotonic()
    error = None
    try:
        roll_call.call(workers, index, seconds)
    except PeerError as raised:
        error = str(raised)
    return error, time.monotonic() - began


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.mark.parametrize("late", [0, 1, 2])
def test_all_wait_for_the_last_one(pool, late):
    workers = free_addresses(3)
    started = [
        pool.submit(attend, workers, i, delay=0.6 * (i == late))
        for i in range(3)
    ]
    results = [future.result() for future in started]
    assert [error for error, _ in results] == [None] * 3
    for index, (_, seconds) in enumerate(results):
        assert index == late or 0.5 < seconds < 5


def test_the_port_is_free_afterwards(pool):
    workers = free_addresses(2)
    for _ in range(3):
        other = pool.submit(attend, workers, 1)
        assert attend(workers, 0)[0] is None
        assert other.result()[0] is None
        port = roll_call.split_address(workers[0])[1]
        socket.create_server(("", port)).close()


def test_one_worker_waits_for_nobody():
    assert attend(["nohost:1"], 0)[0] is None


def test_all_who_came_hear_who_did_not(pool):
    workers = free_addresses(4)
    others = [pool.submit(attend, workers, i) for i in (1, 2)]
    error, seconds = attend(workers, 0, seconds=1.5)
    assert error.startswith(f"worker 3 ({workers[3]}) did not come within 1.5")
    assert 1.4 < seconds < 3
    for other in others:
        assert other.result()[0] == error


def test_a_missing_first_worker_is_named():
    workers = free_addresses(2)
    error, seconds = attend(workers, 1, seconds=0.8)
    assert error.startswith(
        f"worker 0 ({workers[0]}) did not call all workers within 0.8 "
        "seconds (connection refused); start every worker, and"
    )
    assert seconds < 3


def test_a_host_that_does_not_exist_is_named():
    workers = ["no-such-host.invalid:2222", *free_addresses(1)]
    error, _ = attend(workers, 1, seconds=0.5)
    assert error.startswith("worker 0 (no-such-host.invalid:2222) did not call")


def test_one_that_leaves_before_the_end_is_missing(pool):
    workers = free_addresses(3)
    chief = pool.submit(attend, workers, 0, seconds=2.0)
    time.sleep(0.3)
    hello = json.dumps({"index": 1, "workers": workers}).encode() + b"\n"
    place = roll_call.split_address(workers[0])
    with socket.create_connection(place) as left:
        left.sendall(hello)
        time.sleep(0.2)
    other = pool.submit(attend, workers, 2)
    error, _ = chief.result()
    assert error.startswith(f"worker 1 ({workers[1]}) did not come within 2 ")
    assert other.result()[0] == error


def test_one_that_comes_back_is_taken(pool):
    workers = free_addresses(3)
    chief = pool.submit(attend, workers, 0)
    time.sleep(0.3)
    hello = json.dumps({"index": 1, "workers": workers}).encode() + b"\n"
    with socket.create_connection(roll_call.split_address(workers[0])) as left:
        left.sendall(hello)
        time.sleep(0.2)
    others = [pool.submit(attend, workers, i) for i in (1, 2)]
    assert [f.result()[0] for f in (chief, *others)] == [None] * 3


def test_strangers_do_not_count(pool):
    workers = free_addresses(2)
    chief = pool.submit(attend, workers, 0)
    time.sleep(0.3)
    place = roll_call.split_address(workers[0])
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"\xff\n", b"[1]\n"):
        with socket.create_connection(place) as stranger:
            stranger.sendall(words)
    assert attend(workers, 1)[0] is None
    assert chief.result()[0] is None


def test_another_list_is_refused_and_named(pool):
    workers = free_addresses(2)
    chief = pool.submit(attend, workers, 0, seconds=1.0)
    error, _ = attend([*workers, "127.0.0.1:9"], 1)
    assert error.startswith(
        f"worker 0 ({workers[0]}) has another list of workers: {workers[0]}, "
        f"{workers[1]}; give every worker the same list"
    )
    assert "(worker 1 of another list called)" in chief.result()[0]


def test_two_with_one_index_are_refused(pool):
    workers = free_addresses(3)
    chief = pool.submit(attend, workers, 0)
    first = pool.submit(attend, workers, 1)
    time.sleep(0.5)
    hello = json.dumps({"index": 1, "workers": workers}).encode() + b"\n"
    place = roll_call.split_address(workers[0])
    with socket.create_connection(place) as second:
        second.sendall(hello)
        answer = json.loads(second.makefile().readline())
    assert "is already there: two processes have this index" in answer["error"]
    assert attend(workers, 2)[0] is None
    assert [chief.result()[0], first.result()[0]] == [None, None]


@pytest.mark.parametrize("index", [0, 1])
def test_a_taken_port_is_named(index):
    workers = free_addresses(2)
    port = roll_call.split_address(workers[index])[1]
    with socket.create_server(("", port)):
        error, seconds = attend(workers, index)
    assert error == (
        f"worker {index} (127.0.0.1:{port}): port {port} is already in use on "
        "this machine; end what holds it or choose another port"
    )
    assert seconds < 1


@pytest.mark.parametrize(("longer", "status"), [(60, 1), (0, 0)])
def test_a_start_that_hangs_ends(longer, status):
    source = (
        "import time\n"
        "from t2t_lite.trainer import roll_call\n"
        "with roll_call.end_if_it_hangs(0.5):\n"
        f"    time.sleep({longer})\n"
        "time.sleep(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status
    assert done.stderr.startswith("Timeout (0:00:00.500000)!") == bool(status)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("a.b:80", ("a.b", 80)), ("[::1]:2222", ("::1", 2222))],
)
def test_split_address(address, expected):
    assert roll_call.split_address(address) == expected


@pytest.mark.parametrize("address", ["a", "a:", ":80", "a:b", "a:0", "a:65536"])
def test_no_address(address):
    with pytest.raises(ValueError, match="is not host:port"):
        roll_call.split_address(address)
