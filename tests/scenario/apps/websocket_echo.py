"""A WebSocket server that answers each message with it: websocket_echo.py PORT VERSION

The message "close CODE REASON" closes with these.
"""
import asyncio
import sys

import websockets


async def echo(connection):
    async for message in connection:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            await connection.close(int(code), reason)
            return
        await connection.send(message)


async def main():
    async with websockets.serve(echo, None, int(sys.argv[1]), extra_headers=[("x-version", sys.argv[2])]):
        print("listening", flush=True)
        await asyncio.Future()


asyncio.run(main())
