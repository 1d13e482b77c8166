"""Clients that behave badly, thousands in one process: python crowd.py JSON

The JSON says where the store is, which manners how many of the crowd have, and what they need. It prints how many are still to come, as
they come, "there" when everyone has done what it came for once, and counts as JSON when its input ends. Manners are coroutines below; each
runs again when it is over.
"""
import asyncio
import json
import os
import random
import resource
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from certificate import unverified  # noqa: E402
from s3lib import Client  # noqa: E402


class Crowd:
    def __init__(self, plan):
        self.plan, self.loop = plan, asyncio.get_running_loop()
        self.signer = Client(plan["host"], plan["port"], plan["key"], plan["secret"])
        self.counts, self.waiting = {}, sum(plan["crowd"].values())
        self.chance = random.Random(plan.get("seed", 1))
        self.heads = {}
        # So many shake hands at once, that each is through in time however slow this process is.
        self.door, self.context = asyncio.Semaphore(50), unverified()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def head(self, method, path, length=None, **query):
        """Signed once, sent by everyone."""
        found = self.heads.get((method, path, length))
        if found is None:
            pairs = "&".join(f"{n}={v}" for n, v in sorted(query.items()))
            headers = {}
            self.signer.sign(method, path, pairs, headers)
            if length is not None:
                headers["content-length"] = length
            found = (f"{method} {path}{'?' + pairs if pairs else ''} HTTP/1.1\r\n" +
                     "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode()
            self.heads[method, path, length] = found
        return found

    async def dial(self, number, receive_buffer=None):
        s = socket.socket()
        s.setblocking(False)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.setsockopt(socket.IPPROTO_IP, 24, 1)      # IP_BIND_ADDRESS_NO_PORT: the port is chosen for this destination only
        s.bind((f"127.0.{1 + number % 4}.{2 + number // 4 % 200}", 0))
        try:
            await self.loop.sock_connect(s, (self.plan["host"], self.plan["port"]))
        except BaseException:
            s.close()
            raise
        return s

    async def shake_hands(self, s):
        s = socket.socket(fileno=s.detach())        # the streams' own from now on: two descriptors each would be too many
        try:
            return await asyncio.open_connection(sock=s, ssl=self.context, server_hostname="localhost", limit=65536)
        except BaseException:
            s.close()
            raise

    async def until_closed(self, s):
        while await self.loop.sock_recv(s, 65536):
            pass

    # ---- manners: (socket, how to say that it is there) ----

    async def idle(self, s, there):
        """One request, then nothing, for as long as it is let."""
        await self.loop.sock_sendall(s, self.head("GET", "/"))
        await self.loop.sock_recv(s, 65536)
        there()
        await self.until_closed(s)

    async def idle_tls(self, streams, there):
        """The same, encrypted."""
        reader, writer = streams
        try:
            writer.write(self.head("GET", "/"))
            await reader.read(65536)
            there()
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    async def silent(self, s, there):
        there()
        await self.until_closed(s)

    async def crawl(self, s, there):
        """A head, byte by byte."""
        for byte in self.head("GET", "/"):
            await self.loop.sock_sendall(s, bytes([byte]))
            there()
            await asyncio.sleep(self.chance.uniform(1, 3))

    async def stall(self, s, there):
        """An upload that begins well and then says no more."""
        await self.loop.sock_sendall(s, self.head("PUT", f"/{self.plan['bucket']}/stalled", 1 << 20) + b"x" * 50000)
        there()
        await self.until_closed(s)

    async def sip(self, s, there):
        """A large download that nobody reads."""
        await self.loop.sock_sendall(s, self.head("GET", f"/{self.plan['bucket']}/large"))
        there()
        await asyncio.sleep(30)

    async def vanish(self, s, there):
        """Gone by a reset, at any point of a head, an upload or a download."""
        data = self.chance.choice([self.head("GET", f"/{self.plan['bucket']}/large"), self.head("PUT", f"/{self.plan['bucket']}/gone", 1 << 20) +
                                   b"x" * self.chance.randrange(1 << 19)])
        await self.loop.sock_sendall(s, data[:self.chance.randrange(len(data))])
        await asyncio.sleep(self.chance.uniform(0, 0.2))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        there()

    async def lister(self, s, there):
        """A page of a thousand keys from a place of its own, and the prefixes of all, again and again."""
        for query in ({"list-type": 2, "start-after": f"all%2F{self.chance.randrange(1000):03}"}, {"delimiter": "%2F", "list-type": 2, "prefix": "all%2F"}):
            await self.loop.sock_sendall(s, self.head("GET", f"/{self.plan['bucket']}", **query))
            got = b""
            while b"</ListBucketResult>" not in got:
                more = await self.loop.sock_recv(s, 1 << 20)
                if not more:
                    raise ConnectionError(got[:300])
                got = got[-30:] + more
            there()
            await asyncio.sleep(self.chance.uniform(0.5, 1.5))

    async def bomb_head(self, s, there):
        """All that a head may be, and a little more."""
        data = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"a" * 250) for n in range(126))
        await self.loop.sock_sendall(s, data)
        there()
        await self.loop.sock_sendall(s, b"b" * 65536)
        await self.until_closed(s)

    async def bomb_xml(self, s, there):
        """As many elements as are let through."""
        body = b"<Delete>" + b"<a/>" * 59000 + b"</Delete>"
        await self.loop.sock_sendall(s, self.head("PUT", f"/{self.plan['bucket']}", len(body), lifecycle="") + body)
        there()
        await self.until_closed(s)

    # ----

    async def one(self, manner, number):
        first = True

        def there():
            nonlocal first
            self.waiting -= first
            first = False
        await asyncio.sleep(self.chance.uniform(0, self.plan.get("arrive", 3)))
        while True:
            try:
                async with self.door:
                    s = await self.dial(number, 4096 if manner == "sip" else None)
                    peer = await self.shake_hands(s) if manner == "idle_tls" else s
                with s:
                    await getattr(self, manner)(peer, there)
                self.count(manner)
            except OSError as fault:        # the server has had enough
                self.count(f"{manner}: {type(fault).__name__}")
            await asyncio.sleep(self.chance.uniform(0.2, 1))

    async def run(self):
        tasks, number = [], 0
        for manner, many in self.plan["crowd"].items():
            for _ in range(many):
                tasks.append(self.loop.create_task(self.one(manner, number)))
                number += 1
        said = None
        while self.waiting > 0:
            if said != self.waiting:
                said = self.waiting
                print(said, flush=True)
            await asyncio.sleep(0.05)
        print("there", flush=True)
        reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        print(json.dumps(self.counts), flush=True)
        os._exit(0)


async def main():
    await Crowd(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main())
