"""A customer of the demo shop: calls each service in turn, a few dozen times a second, and never gives up."""
import http.client
import socket
import sys
import threading
import time

import grpc

PAUSE_S = 0.04


def forever(call):
    def run():
        while True:
            try:
                call()
            except (OSError, http.client.HTTPException, grpc.RpcError) as error:
                print(f"{call.__name__}: {error}", flush=True)
                time.sleep(0.5)
    threading.Thread(target=run, daemon=True).start()


def http_caller(host, name):
    def call():
        connection = http.client.HTTPConnection(host, 80, timeout=10)
        while True:
            connection.request("GET", "/")
            connection.getresponse().read()
            time.sleep(PAUSE_S)
    call.__name__ = name
    return call


def grpc_caller(host):
    def greeter():
        with grpc.insecure_channel(f"{host}:9000") as channel:
            talk = channel.unary_unary("/test.Echo/Unary", request_serializer=bytes, response_deserializer=bytes)
            while True:
                talk(b"hello", timeout=10)
                time.sleep(PAUSE_S)
    return greeter


def redis_caller(host):
    def cart():
        with socket.create_connection((host, 6379), timeout=10) as redis:
            while True:
                redis.sendall(b"INCR cart\r\n")
                if not redis.recv(64):
                    raise OSError("redis has closed the connection")
                time.sleep(PAUSE_S)
    return cart


def main():
    web, api, greeter, cart = sys.argv[1:5]
    for call in (http_caller(web, "web"), http_caller(api, "api"), grpc_caller(greeter), redis_caller(cart)):
        forever(call)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
