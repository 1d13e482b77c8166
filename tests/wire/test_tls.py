"""TLS on the wire: versions, garbage, the wrong protocol, half a handshake, and new certificates under live connections."""
import os
import signal
import socket
import ssl
import threading

import pytest
from cryptography import x509

from certificate import unverified as context, write_certificate
from conftest import FRUGAL
from store import Store
from wire import Wire, eventually, head, memory_is_flat


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder)
    return folder


class Secured(Store):
    def client(self, name="s3", **more):
        return super().client(name, verify=False, **more)


@pytest.fixture(scope="module")
def secured(build, files):
    running = Secured(build, "--tls-cert", str(files / "cert.pem"), "--tls-key", str(files / "key.pem"), "--head-timeout", "1500",
                      environment=FRUGAL)
    yield running
    running.close()


def serial(store):
    with Wire(store, tls=context()) as wire:
        return x509.load_der_x509_certificate(wire.socket.getpeercert(True)).serial_number


def is_served(store):
    with Wire(store, tls=context()) as wire:
        assert wire.ask(head(store, "GET", "/")).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secured, version):
    body = os.urandom(700000)
    name = "w-tls-" + version.name.lower().replace("_", "-")
    with Wire(secured, tls=context(version)) as wire:
        assert wire.socket.version() == version.name.replace("_", ".")
        create = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
        assert wire.ask(head(secured, "PUT", f"/{name}", {"content-length": len(create)}) + create).status == 200
        for _ in range(3):
            wire.send(head(secured, "PUT", f"/{name}/k", {"content-length": len(body)}) + body + head(secured, "GET", f"/{name}/k") * 2)
            assert wire.read().status == 200
            assert wire.read().body == body and wire.read().body == body
        assert wire.ask(head(secured, "PUT", f"/{name}/k", {"content-length": 5, "expect": "100-continue"})).status == 100
        assert wire.ask(b"hello").status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(secured, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(secured, tls=context(version))
    is_served(secured)


def hello():
    """A client's first message, by a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


GARBAGE = {
    "zeros": b"\x00" * 100, "plain HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSL 2": b"\x80\x2e\x01\x00\x02" + b"\x00" * 60, "alert": b"\x15\x03\x03\x00\x02\x02\x28", "data first": b"\x17\x03\x03\x00\x05hello",
    "long record": b"\x16\x03\x01\xff\xff" + b"\x01" * 65535, "empty records": b"\x16\x03\x01\x00\x00" * 1000,
    "hello twice": None, "hello, then noise": None, "hello, broken": None,
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage(secured, what):
    """A stranger's bytes end the connection, with an alert at most. Plain HTTP is not answered on a TLS port."""
    first = hello()
    data = GARBAGE[what] or {"hello twice": first * 2, "hello, then noise": first + b"\x99" * 500,
                             "hello, broken": first[:60] + b"\xff" * (len(first) - 60)}[what]
    with Wire(secured) as wire:
        wire.send(data)
        while wire.more():
            pass
        assert b"HTTP/" not in wire.pending
    is_served(secured)


def test_cut_handshakes(secured):
    first = hello()

    def volley():
        for at in [0, 1, 5, 6, 60, len(first) - 1, len(first)] * 12:
            wire = Wire(secured)
            wire.send(first[:at])
            wire.reset() if at % 2 else wire.socket.close()
        is_served(secured)
    volley()
    with memory_is_flat(secured, 8192):
        volley()


def test_silent_handshake_is_closed(secured):
    with Wire(secured) as nothing, Wire(secured) as half:
        half.send(hello()[:40])
        assert nothing.is_closed() and half.is_closed()


def test_cut_behind_the_handshake(secured):
    """Ends without close_notify, within a record, within a body."""
    for data in (b"", b"GET / HT", b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx", head(secured, "GET", "/")):
        wire = Wire(secured, tls=context())
        wire.send(data)
        wire.socket.shutdown(socket.SHUT_RDWR)
        wire.socket.close()
    is_served(secured)


def test_encrypted_garbage(secured):
    """What is malformed in the clear is malformed under TLS."""
    with Wire(secured, tls=context()) as wire:
        answer = wire.ask(b"\x00\x01\x02\r\n\r\n")
        assert answer.status == 400 and answer.closes
        assert wire.is_closed()


def test_reload_under_load(secured, files):
    """SIGHUP: new connections see the new certificate, running ones notice nothing, and a broken file changes nothing."""
    stop, faults, served = threading.Event(), [], [0]

    def client():
        try:
            with Wire(secured, tls=context()) as wire:
                while not stop.is_set():
                    assert wire.ask(head(secured, "GET", "/")).status == 200
                    served[0] += 1
        except Exception as fault:
            faults.append(fault)
    running = [threading.Thread(target=client) for _ in range(3)]
    for each in running:
        each.start()
    try:
        for number in (1001, 1002, 1003):
            write_certificate(files, number)
            secured.process.send_signal(signal.SIGHUP)
            eventually(lambda: serial(secured) == number)
        (files / "key.pem").write_text("no key at all")
        secured.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the old one stays" in secured.output())
        assert serial(secured) == 1003
        before = served[0]
        eventually(lambda: served[0] > before + 3)
    finally:
        stop.set()
        for each in running:
            each.join()
    assert not faults, faults


def test_tls_for_a_plain_port(store):
    """A TLS client at the plain port is refused at once, not left waiting."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(store, tls=context())
    with Wire(store) as wire:
        assert wire.ask(head(store, "GET", "/")).status == 200


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "no ticket"])
def test_resumed_sessions(secured, tickets):
    """A second connection resumes the session of the first if the client has kept it as a ticket. The server keeps none."""
    shared = context(ssl.TLSVersion.TLSv1_2)
    if not tickets:
        shared.options |= ssl.OP_NO_TICKET
    session = None
    for turn in range(2):
        raw = socket.create_connection((secured.host, secured.port), timeout=20)
        with shared.wrap_socket(raw, server_hostname="localhost", session=session) as tls:
            assert tls.session_reused == (turn == 1 and tickets)
            session = tls.session
