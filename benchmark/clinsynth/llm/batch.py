"""OpenAI's Batch API: a round of prompts as one job at half the price, fetched whenever it is done.

A batch is remembered before it is handed in, and marked with a digest of its requests: after a crash at any moment the
same command finds it again and nothing is paid twice. What a batch leaves undone is handed in again, and only that.
Reference: https://platform.openai.com/docs/api-reference/batch.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from clinsynth.core import UserError
from clinsynth.llm.cache import PendingBatch, Reply
from clinsynth.llm.payloads import ENDPOINTS, read_json, read_reply, told
from clinsynth.llm.refusals import read_refusal
from clinsynth.llm.requests import Answer, BudgetSpentError, Prompt
from clinsynth.llm.server import GoneError, hollow

if TYPE_CHECKING:
    from clinsynth.llm import Client

MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000
"""Limits of one batch file: 50,000 requests and 200 MB, some room left."""
MOST_TURNS = 4
"""Times that a request is handed in before it is given up."""
MARK = "clinsynth"
"""Key of the digest in a batch's metadata."""
_DONE = ("completed", "expired", "cancelled")
_TIMES = 20
"""Failed looks at a batch after which the server counts as gone."""


def ask_in_batches(client: Client, prompts: Sequence[Prompt]) -> Iterator[Answer]:
    """As ``LLM.ask``, as one batch job, or a few if the limits of the run allow only a part at a time.

    What is appended to ``prompts`` meanwhile is the next job.
    """
    taken, waiting = 0, list[Prompt]()
    while waiting or taken < len(prompts):
        if taken < len(prompts):
            new = [client.as_asked(prompt) for prompt in prompts[taken:]]
            taken += len(new)
            waiting += new
            by_key = {client.key(prompt): prompt for prompt in new}
            pending = [one for one in client.cache.pending(_where(client)) if by_key.keys() & set(one.keys)]
            _collect(client, pending, by_key)
        admitted = _admitted(client, waiting)
        if not admitted:
            raise BudgetSpentError(client.limit_said())
        known = {key for prompt in admitted if client.cache.get(key := client.key(prompt)) is not None}
        refused = _run(client, admitted)
        for prompt in admitted:
            key = client.key(prompt)
            reply = client.cache.get(key)
            client.settle(prompt, reply)
            if reply is None:
                client.ledger.give_up()
                yield Answer(text="", finish="failed")
            else:
                client.ledger.add(reply, cached=key in known)
                # The same request a second time costs nothing.
                yield reply.answer(cached=key in known)
                known.add(key)
        del waiting[: len(admitted)]
        if refused:
            client.say(f"{refused:,} requests of the batch failed for good")


def _admitted(client: Client, prompts: list[Prompt]) -> list[Prompt]:
    """As many of the first prompts as the limits allow, should each cost the most that it can."""
    if client.fits(prompts):
        return prompts
    low, high = 0, len(prompts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if client.fits(prompts[:middle]) else (low, middle)
    return prompts[:low]


def _run(client: Client, prompts: Sequence[Prompt]) -> int:
    """Get every answer into the cache; gives how many requests failed for good."""
    by_key = {client.key(prompt): prompt for prompt in prompts}
    missing = client.cache.missing(by_key)
    if not missing:
        return 0
    # One request by itself, at the full price: better now than in a day if key, model or parameters are wrong.
    _try_one(client, by_key, missing)
    failed: set[str] = set()
    for _ in range(MOST_TURNS):
        missing = [key for key in client.cache.missing(by_key) if key not in failed]
        if not missing:
            break
        handed_in = [_hand_in(client, part, by_key) for part in _parts(client, missing, by_key)]
        failed |= _collect(client, handed_in, by_key)
    return len(client.cache.missing(by_key))


def _try_one(client: Client, by_key: Mapping[str, Prompt], missing: Sequence[str]) -> None:
    """Ask the first request of each shape (with a schema, without) that the server has not answered yet."""
    tried: set[bool] = client.server.shapes
    for key in missing:
        prompt = by_key[key]
        if (shape := prompt.schema is not None) in tried:
            continue
        tried = tried | {shape}
        try:
            reply = client.do(client.server.request(prompt, key, client.ledger, lambda: False)).result()
        except GoneError as error:
            raise UserError(str(error)) from None
        if reply is not None:
            client.cache.put(key, reply)
            client.server.note(reply)
            if hollow(reply):
                raise UserError(
                    "no batch is handed in: the one answer that was asked for first is all thought and no text",
                    remedy="--answer-tokens 4000, or --reasoning-effort low",
                )


def _where(client: Client) -> str:
    return f"{client.settings.base_url.split('@')[-1]} {client.mode}"


def _line(client: Client, key: str, prompt: Prompt) -> tuple[bytes, str]:
    body, how = client.server.dialect.body(prompt, client.model, key)
    request = {"custom_id": key, "method": "POST", "url": f"/v1{ENDPOINTS[client.mode]}", "body": body}
    return (json.dumps(request) + "\n").encode(), how


def _parts(client: Client, keys: Sequence[str], by_key: Mapping[str, Prompt]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for key in keys:
        length = len(_line(client, key, by_key[key])[0])
        if part and (len(part) >= MOST_REQUESTS or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(key)
        size += length
    if part:
        yield part


def _hand_in(client: Client, keys: list[str], by_key: Mapping[str, Prompt]) -> PendingBatch:
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    lines = [_line(client, key, by_key[key]) for key in keys]
    how = next((held for _, held in lines if held), "")
    pending = PendingBatch(digest, "", tuple(keys), how)
    client.cache.note_batch(_where(client), pending)
    # From memory: prompts may be restricted and never lie on this disk.
    name = client.do(_submit(client, b"".join(line for line, _ in lines), digest)).result()
    pending = PendingBatch(digest, name, tuple(keys), how)
    client.cache.note_batch(_where(client), pending)
    client.say(f"batch {name}: {len(keys):,} requests handed in")
    return pending


async def _submit(client: Client, content: bytes, digest: str) -> str:
    from openai import APIError

    openai = (await client.server.openai()).with_options(max_retries=5)
    endpoint: Any = f"/v1{ENDPOINTS[client.mode]}"
    try:
        file = await openai.files.create(file=(f"{digest[:16]}.jsonl", content), purpose="batch")
        made = await openai.batches.create(
            input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={MARK: digest}
        )
    except APIError as error:
        raise UserError(
            "the batch cannot be handed in",
            found=error.message[:300],
            remedy="without --batch requests are sent singly",
        ) from None
    return made.id


def _collect(client: Client, handed_in: Sequence[PendingBatch], by_key: Mapping[str, Prompt]) -> set[str]:
    """Wait for batches and keep their answers; gives the keys of requests that would never go well."""
    failed: set[str] = set()
    for pending in handed_in:
        name = pending.batch or client.do(_find(client, pending.digest)).result()
        if name:
            batch = _wait(client, name, len(pending.keys))
            failed |= client.do(_fetch(client, batch, pending, by_key)).result()
        client.cache.forget_batch(pending.digest)
    return failed


async def _find(client: Client, digest: str) -> str:
    """The id of a batch that was handed in when the program died; empty if it never was."""
    openai = (await client.server.openai()).with_options(max_retries=5)
    async for batch in openai.batches.list(limit=100):
        if (batch.metadata or {}).get(MARK) == digest:
            return batch.id
    return ""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch at its end."""

    name: str
    status: str
    output: str | None
    errors: str | None


def _wait(client: Client, name: str, requests: int) -> _Batch:
    shown = ""
    while True:
        batch: Any = client.do(_look(client, name)).result()
        counts = batch.request_counts
        status = f"batch {name}: {batch.status}, {counts.completed if counts else 0:,} of {requests:,} done"
        if status != shown:
            client.say(status)
            shown = status
        if batch.status in _DONE:
            return _Batch(name, batch.status, batch.output_file_id, batch.error_file_id)
        if batch.status == "failed":
            errors: list[Any] = (batch.errors.data or []) if batch.errors else []
            said = "; ".join(str(one.message) for one in errors)
            for pending in client.cache.pending(_where(client)):
                if pending.batch == name:
                    client.cache.forget_batch(pending.digest)
            raise UserError(f"batch {name} was refused", found=said[:300], remedy="mend it, and run the command again")
        time.sleep(client.settings.poll)


async def _look(client: Client, name: str) -> Any:
    from openai import APIConnectionError

    openai = (await client.server.openai()).with_options(max_retries=_TIMES)
    try:
        return await openai.batches.retrieve(name)
    except APIConnectionError as error:
        raise UserError(
            f"the server does not say how batch {name} is",
            found=str(error.__cause__ or error),
            remedy="the same command goes on from there",
        ) from None


async def _fetch(client: Client, batch: _Batch, pending: PendingBatch, by_key: Mapping[str, Prompt]) -> set[str]:
    openai = (await client.server.openai()).with_options(max_retries=_TIMES)
    wanted, failed = set(pending.keys), set[str]()
    for name in (batch.output, batch.errors):
        if name is None:
            continue
        content = await openai.files.content(name)
        # Not splitlines: a text may hold what Unicode calls the end of a line.
        for line in content.text.split("\n"):
            key, reply, final = _read(line, pending.structured, client.model)
            if key not in wanted:
                continue
            if reply is not None:
                prompt = by_key.get(key)
                sent = told(client.server.dialect.body(prompt, client.model, key)[0]) if prompt else ""
                client.cache.put(key, replace(reply, sent=sent))
            elif final:
                failed.add(key)
    return failed


def _read(line: str, structured: str, model: str) -> tuple[str, Reply | None, bool]:
    """Key and answer of a line of a batch's output, or whether it is no use to ask again."""
    try:
        row: Any = read_json(line.encode())
        key, response = str(row["custom_id"]), cast("dict[str, Any]", row.get("response") or {})
        status, body = int(response.get("status_code") or 0), response.get("body")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", None, False
    if status == 200:
        return key, read_reply(body, structured, batch=True), False
    if not status:
        return key, None, False  # not run, such as in an expired batch
    refusal = read_refusal(status, body, {})
    if refusal.kind == "filtered":
        reply = Reply(text="", finish="filtered", tokens_in=None, tokens_out=None, model=model, batch=True)
        return key, reply, False
    return key, None, refusal.kind != "retry"
