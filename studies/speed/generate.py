"""What share of the ideal throughput the client reaches against a server of a fixed latency, on this machine.

    python -m studies.speed.generate [--concurrency 32] [--latency-ms 200] [--requests 1600] [--mode chat]

The server runs in a process of its own and answers each request after the latency, however many there are. Ideal are
``concurrency / latency`` answers per second from the first request to the last answer. The time includes everything
that a run does with an answer: cache on disk, ledger, order. Connecting and importing come first and are not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from clinsynth.llm import Client, ClientSettings
from clinsynth.llm.cache import Cache
from clinsynth.llm.requests import Prompt

NEEDED = 0.9
_TEXT = "A synthetic sentence of the length that a row usually has, with @GENE$ and @DISEASE$ in it, and a label. "


def serve(latency: float, port: Connection) -> None:
    """Answer each request after ``latency`` seconds; the port is sent through ``port``."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _TEXT}, "text": _TEXT}
    usage = {"prompt_tokens": 200, "completion_tokens": 25, "total_tokens": 225}
    answer = json.dumps({"id": "x", "object": "x", "created": 0, "model": "m", "choices": [choice], "usage": usage})
    models = json.dumps({"object": "list", "data": []})

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            await reader.readexactly(length)
            if head.startswith(b"POST"):
                await asyncio.sleep(latency)
            body = (answer if head.startswith(b"POST") else models).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=512)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def measure(base_url: str, concurrency: int, requests: int, mode: str) -> float:
    """Seconds for so many answers."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        settings = ClientSettings(
            model="m", base_url=base_url, mode="chat" if mode == "chat" else "completion", concurrency=concurrency
        )
        with Client(settings, cache) as client:
            list(client.ask([Prompt(text="hello")]))
            prompts = [Prompt(text=f"{_TEXT * 8}{k}") for k in range(requests)]
            began = time.perf_counter()
            answers = sum(1 for _ in client.ask(prompts))
            seconds = time.perf_counter() - began
        cache.close()
    if answers != requests:
        raise SystemExit(f"{answers:,} answers to {requests:,} requests")
    return seconds


def main() -> int:
    """Print the share; 1 if it is too small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    parser.add_argument("--requests", type=int, default=1_600)
    parser.add_argument("--mode", choices=("chat", "completion"), default="chat")
    arguments = parser.parse_args()
    latency = arguments.latency_ms / 1e3
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(latency, theirs), daemon=True)
    server.start()
    try:
        base_url = f"http://127.0.0.1:{ours.recv()}/v1"
        seconds = measure(base_url, arguments.concurrency, arguments.requests, arguments.mode)
    finally:
        server.terminate()
        server.join()
    ideal = -(-arguments.requests // arguments.concurrency) * latency
    share = ideal / seconds
    print(  # noqa: T201 - a script
        f"{arguments.requests:,} answers in {seconds:.2f} s, ideal {ideal:.2f} s: {100 * share:.1f} % of the ideal "
        f"throughput ({arguments.requests / seconds:.0f} of {arguments.concurrency / latency:.0f} a second)"
    )
    return 0 if share >= NEEDED else 1


if __name__ == "__main__":
    sys.exit(main())
