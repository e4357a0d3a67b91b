"""Sends messages to a WebSocket, prints {"version", "replies"}: websocket_call.py URL TIMEOUT MESSAGE..."""
import asyncio
import json
import sys

import websockets


async def call(url, messages):
    async with websockets.connect(url) as connection:
        replies = []
        for message in messages:
            await connection.send(message)
            replies.append(await connection.recv())
        return {"version": connection.response_headers.get("x-version"), "replies": replies}


print(json.dumps(asyncio.run(asyncio.wait_for(call(sys.argv[1], sys.argv[3:]), float(sys.argv[2])))))
