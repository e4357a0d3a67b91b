"""Connects, asks for a close and prints the code and reason that came: websocket_close.py URL CODE REASON"""
import asyncio
import sys

import websockets


async def call(url, code, reason):
    async with websockets.connect(url) as connection:
        await connection.send(f"close {code} {reason}")
        try:
            await connection.recv()
        except websockets.ConnectionClosed as closed:
            print(closed.rcvd.code, closed.rcvd.reason)


asyncio.run(asyncio.wait_for(call(sys.argv[1], int(sys.argv[2]), sys.argv[3]), 10))
