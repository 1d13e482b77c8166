"""A running caisson: started on free ports, stopped by its process id."""
import configparser
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def check(build, data, *flags):
    """caisson check of a stopped store: (exit code, its lines)."""
    done = subprocess.run([os.path.join(TOP, build, "caisson"), "check", "--data-dir", data, *flags], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode in (0, 1), f"caisson check ends with {done.returncode}: {done.stdout[-4000:]}"
    return done.returncode, done.stdout.splitlines()


class Store:
    """A running caisson and how to reach it."""

    def __init__(self, build, *flags, data=None, environment=None, pass_fds=()):
        self.binary = os.path.join(TOP, build, "caisson")
        self.flags = list(flags)
        self.environment = environment or {}
        self.pass_fds = pass_fds
        self.owned = data is None
        self.data = data or tempfile.mkdtemp(prefix="caisson-test-")
        self.process = None
        self.start()

    def command(self):
        return [self.binary, "serve", "--data-dir", self.data, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", *self.flags]

    def start(self, timeout=60):
        self.log = open(os.path.join(self.data, "test.log"), "ab+")
        self.log.seek(0, 2)
        begin = self.log.tell()
        self.process = subprocess.Popen(
            self.command(), stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            pass_fds=self.pass_fds, env={**os.environ, **self.environment})
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = self.output(begin)
            ready = re.search(r"^ready: s3=(\S+) control=(\S+)", text, re.M)
            if ready:
                break
            if self.process.poll() is not None:
                raise RuntimeError(f"caisson ended with {self.process.returncode}:\n{text[-4000:]}")
            time.sleep(0.02)
        else:
            raise RuntimeError("caisson was not ready in time:\n" + self.output(begin)[-4000:])
        self.url, self.control = ready.group(1), ready.group(2)
        self.host, self.port = re.match(r"https?://(.+):(\d+)$", self.url).groups()
        self.port = int(self.port)
        profile = configparser.ConfigParser()
        profile.read(os.path.join(self.data, "credentials"))
        self.key = profile["caisson"]["aws_access_key_id"]
        self.secret = profile["caisson"]["aws_secret_access_key"]
        with open(os.path.join(self.data, "admin-token")) as token:
            self.token = token.read().strip()

    def output(self, begin=0):
        with open(os.path.join(self.data, "test.log"), errors="replace") as log:
            log.seek(begin)
            return log.read()

    def kill(self):
        """As a crash: no drain, no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        try:
            self.log.close()
        except OSError:
            pass		# the disk below it was cut off

    def stop(self, timeout=60):
        """As an operator: SIGTERM, drain. Gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.log.close()
        return code

    def close(self):
        if self.process.poll() is None:
            code = self.stop()
        else:
            code = self.process.returncode
        text = self.output()
        if self.owned:
            shutil.rmtree(self.data, ignore_errors=True)
        assert "ERROR: AddressSanitizer" not in text and "runtime error:" not in text \
            and "ERROR: LeakSanitizer" not in text and "panic:" not in text, text[-6000:]
        assert code == 0, f"exit code {code}\n{text[-4000:]}"

    def client(self, name="s3", **more):
        import boto3
        from botocore.config import Config
        config = {"retries": {"max_attempts": 1}, "connect_timeout": 10, "read_timeout": 60, **more.pop("config", {})}
        arguments = {"endpoint_url": self.url, "aws_access_key_id": self.key, "aws_secret_access_key": self.secret,
                     "region_name": "us-east-1", **more}
        return boto3.client(name, config=Config(**config), **arguments)
