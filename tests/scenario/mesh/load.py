"""Requests without end over kept connections, beside a test that breaks things meanwhile."""
import collections
import http.client
import threading
import time

from . import wait

# `path` of what failed, and how; `at` is seconds since the load began.
Failure = collections.namedtuple("Failure", "at path words")


class Load:
    """`clients` threads in a pod, each with one HTTP/1.1 connection that it keeps.

    with Load(pod, service.ip4, 80) as load: ...; load.assert_clean()

    A connection that the proxy closed between two requests, as HTTP/1.1 lets it ("connection: close" was
    said), is opened again and is no failure. Anything else but a whole 200 is.
    """

    def __init__(self, pod, host, port, path="/", clients=4, pause=0.002, timeout=10, headers=None):
        self._pod = pod
        self._where = (host, port)
        self._path = path
        self._pause = pause
        self._timeout = timeout
        self._headers = headers or {}
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._done = [0] * clients
        self.versions = collections.Counter()
        self.failures = []
        self._threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(clients)]

    @property
    def count(self):
        return sum(self._done)

    def _connect(self):
        connection = http.client.HTTPConnection(*self._where, timeout=self._timeout)
        with self._pod.entered():
            connection.connect()
        return connection

    def _run(self, number):
        connection = None
        while not self._ended.is_set():
            try:
                if connection is None or connection.sock is None:
                    connection = self._connect()
                self._one(connection)
                self._done[number] += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(Failure(time.monotonic() - self._started, self._path, repr(error)))
                if connection is not None:
                    connection.close()
                connection = None
            if self._pause:
                self._ended.wait(self._pause)
        if connection is not None:
            connection.close()

    def _one(self, connection):
        connection.request("GET", self._path, headers=self._headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, \
            f"{response.status} {response.getheader('x-remora-reason')} {body[:200]!r}"
        self.versions[response.getheader("x-version")] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_more(len(self._threads))
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ended.set()
        for thread in self._threads:
            thread.join(self._timeout + 5)

    def wait_more(self, requests, timeout=wait.PATIENCE):
        """Waits until so many more have succeeded."""
        wanted = self.count + requests
        wait.until(lambda: self.count >= wanted, f"{requests} more requests; failures: {self.failures[:3]}", timeout)

    def assert_clean(self, at_least=1):
        assert not self.failures, f"{len(self.failures)} of {self.count + len(self.failures)}: {self.failures[:5]}"
        assert self.count >= at_least
