"""Who crawls is cut off in time, holds no worker while it can be helped, and nothing stays behind."""
import time

import pytest

from wire import Wire, eventually, head, is_well, metric, nothing_held, put

LIMITS = ["--head-timeout", "700", "--idle-timeout", "1500", "--rate-interval", "700", "--rate-min", "20000", "--workers", "4",
          "--workers-small", "1", "--client-workers", "3"]


@pytest.fixture(scope="module")
def hasty(build, request):
    """A store with little patience."""
    from conftest import FRUGAL
    from store import Store
    running = Store(build, *LIMITS, environment=FRUGAL)
    yield running
    running.close()


@pytest.fixture
def place(hasty):
    from conftest import make_bucket
    return make_bucket(hasty)


def trickle(wire, data, pause=0.05):
    """Byte by byte, until the server has enough of it. True if all went out."""
    wire.socket.settimeout(0)
    for at in range(len(data)):
        try:
            wire.socket.send(data[at:at + 1])
        except OSError:
            break
        time.sleep(pause)
        try:
            wire.pending += wire.socket.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            break
        break
    else:
        return True
    wire.socket.settimeout(20)
    return False


def test_slow_head(hasty):
    with Wire(hasty) as wire:
        assert not trickle(wire, head(hasty, "GET", "/") * 2)
        answer = wire.read()
        assert answer.code == "RequestTimeout" and answer.closes, answer
        assert wire.is_closed()


def test_silent_connections(hasty):
    """Nothing at all, half a line, a request and then nothing: all closed, the silent ones without a word."""
    with Wire(hasty) as nothing, Wire(hasty) as half, Wire(hasty) as after:
        half.send(b"GET / HT")
        assert after.ask(head(hasty, "GET", "/")).status == 200
        assert nothing.is_closed() and after.is_closed()
        assert half.read().code == "RequestTimeout" and half.is_closed()


@pytest.mark.parametrize("size", [3000, 300000], ids=["awaited on the loop", "read by a worker"])
def test_slow_body(hasty, place, size):
    with Wire(hasty) as wire:
        wire.send(head(hasty, "PUT", f"/{place}/k", {"content-length": size}))
        assert not trickle(wire, b"x" * size)
        answer = wire.read()
        assert answer is not None and answer.code == "RequestTimeout" and answer.closes, answer
    nothing_held(hasty)
    assert hasty.client().list_objects_v2(Bucket=place)["KeyCount"] == 0


@pytest.mark.parametrize("start", [b"", b"5", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nx: y\r\n"],
                         ids=["size", "in the size", "data", "end of chunk", "trailers", "in the trailers"])
def test_stalled_chunks(hasty, place, start):
    with Wire(hasty) as wire:
        answer = wire.ask(head(hasty, "PUT", f"/{place}/k", {"transfer-encoding": "chunked"}) + start)
        assert answer is not None and answer.code == "RequestTimeout" and answer.closes, answer
    nothing_held(hasty)
    assert hasty.client().list_objects_v2(Bucket=place)["KeyCount"] == 0


def test_invited_but_silent(hasty, place):
    with Wire(hasty) as wire:
        assert wire.ask(head(hasty, "PUT", f"/{place}/k", {"content-length": 100, "expect": "100-continue"})).status == 100
        assert wire.read().code == "RequestTimeout"
    nothing_held(hasty)


@pytest.mark.parametrize("size", [60000, 400000, 4 << 20], ids=["volume, small", "volume", "file"])
def test_slow_reader(hasty, place, size):
    """A download that nobody reads: its worker is free again within the interval, not when the client feels like it."""
    hasty.client().put_object(Bucket=place, Key="k", Body=b"x" * size)
    wires = [Wire(hasty, receive_buffer=4096) for _ in range(12)]
    for wire in wires:
        wire.send(head(hasty, "GET", f"/{place}/k") * 40)
    nothing_held(hasty)
    for wire in wires:
        wire.socket.close()
    is_well(hasty)


def test_small_operations_while_all_workers_crawl(hasty, place):
    """Large transfers that crawl hold all the workers they can; small operations of others go on."""
    hasty.client().put_object(Bucket=place, Key="big", Body=b"x" * (8 << 20))
    wires = [Wire(hasty, source=f"127.0.0.{2 + n}", receive_buffer=4096) for n in range(8)]
    for wire in wires:
        wire.send(head(hasty, "GET", f"/{place}/big"))
    eventually(lambda: metric(hasty, "caisson_workers_busy") >= 3)
    with Wire(hasty) as other:
        for n in range(20):
            assert other.ask(put(hasty, f"/{place}/k{n}", b"small")).status == 200
    assert metric(hasty, "caisson_workers_busy") >= 1, "the slow ones were gone before: nothing was tested"
    for wire in wires:
        wire.socket.close()
    nothing_held(hasty)
