"""An HTTP/1.1 service that says which version it is, and what it was asked.

    version_service.py PORT VERSION [NAME]

    ANY  /...             200 with {"name", "version", "method", "path", "client", "headers", "body_bytes"};
                          the header x-version says the version too
    ANY  /status/503      that status
    ANY  /delay/250       answers after so many milliseconds
    ANY  /bytes/100000    a body of so many bytes
    ANY  /stream/5/20     so many chunks, so many milliseconds apart, chunked
    POST /echo            the body that was sent
    ANY  /trailers        a chunked body with the trailer x-end: yes
    ANY  /reset           the connection is reset instead of an answer
    ANY  /count           how many requests came so far, itself included

Keeps connections open; one thread a connection.
"""
import http.server
import itertools
import json
import socket
import struct
import sys
import threading
import time

VERSION = sys.argv[2]
NAME = sys.argv[3] if len(sys.argv) > 3 else "service"
_numbers = itertools.count(1)
_lock = threading.Lock()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "version-service"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # one write for head and body

    def log_message(self, *_):
        pass

    def read_body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body, content_type="text/plain"):
        self.send_response(status)
        self.send_header("x-version", VERSION)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_chunks(self, chunks, pause=0.0, trailers=()):
        self.send_response(200)
        self.send_header("x-version", VERSION)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
            time.sleep(pause)
        self.wfile.write(b"0\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in trailers) + b"\r\n")

    def describe(self, body):
        return json.dumps({
            "name": NAME, "version": VERSION, "method": self.command, "path": self.path,
            "client": self.client_address[0].removeprefix("::ffff:"), "http": self.request_version,
            "headers": [[name, value] for name, value in self.headers.items()], "body_bytes": len(body),
        }).encode() + b"\n"

    def serve(self):
        with _lock:
            number = next(_numbers)
        body = self.read_body()
        words = self.path.split("?")[0].split("/")[1:]
        if words[0] == "status":
            self.answer(int(words[1]), b"as asked\n")
        elif words[0] == "delay":
            time.sleep(int(words[1]) / 1000)
            self.answer(200, self.describe(body), "application/json")
        elif words[0] == "bytes":
            self.answer(200, b"x" * int(words[1]))
        elif words[0] == "stream":
            self.answer_chunks([b"piece %d\n" % i for i in range(int(words[1]))], int(words[2]) / 1000)
        elif words[0] == "trailers":
            self.answer_chunks([b"body\n"], trailers=[(b"x-end", b"yes")])
        elif words[0] == "echo":
            self.answer(200, body)
        elif words[0] == "count":
            self.answer(200, b"%d\n" % number)
        elif words[0] == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            self.answer(200, self.describe(body), "application/json")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = serve

    def handle_expect_100(self):
        # http.server would leave this in its buffer until the answer.
        done = super().handle_expect_100()
        self.wfile.flush()
        return done


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request, client_address):
        # Clients that go away in the middle are part of the tests.
        print(f"lost {client_address[0]}: {sys.exc_info()[1]!r}", flush=True)


if __name__ == "__main__":
    service = Server(("::", int(sys.argv[1])), Service)
    print("listening", flush=True)
    service.serve_forever(poll_interval=60)
