"""Answers that were paid for, by the digest of their request. Prompts are not kept: they may hold restricted text."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, cast

from clinsynth.core import UserError, canonical_json, user_cache
from clinsynth.llm.requests import Answer, Mode, Prompt

CACHE_VARIABLE = "CLINSYNTH_CACHE"
_FILE = "answers.sqlite"
REMEMBERED = 30
"""Days after which a refusal is forgotten: servers change."""
_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER,
    model TEXT NOT NULL, structured TEXT NOT NULL, batch INTEGER NOT NULL, seconds REAL NOT NULL, sent TEXT NOT NULL,
    digest TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dialects (
    server TEXT NOT NULL, model TEXT NOT NULL, mode TEXT NOT NULL, learnt TEXT NOT NULL, day TEXT NOT NULL,
    PRIMARY KEY (server, model, mode)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    digest TEXT PRIMARY KEY, server TEXT NOT NULL, batch TEXT NOT NULL, keys TEXT NOT NULL, structured TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer, with what the ledger wants to know of it."""

    text: str
    finish: Literal["stop", "length", "filtered"]
    tokens_in: int | None
    tokens_out: int | None
    model: str
    """The server's own name of its model."""
    structured: str = ""
    """How the answer was held to the prompt's schema; ``off`` if it was not, empty for a prompt without one."""
    batch: bool = False
    """Whether it came in a batch."""
    seconds: float = 0.0
    """From request to answer; 0 for one of a batch."""
    sent: str = ""
    """The request without its text, as ``payloads.told`` gives it."""

    def answer(self, *, cached: bool) -> Answer:
        """The part of it that the caller gets."""
        return Answer(
            text=self.text, finish=self.finish, cached=cached, tokens_in=self.tokens_in, tokens_out=self.tokens_out
        )


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch that was handed in and not yet fetched."""

    digest: str
    """sha256 over its keys; also in the batch's metadata, so that it is found if its id was not saved."""
    batch: str
    """The server's id; empty if it is not known whether the batch was ever made."""
    keys: tuple[str, ...]
    structured: str


def request_key(
    prompt: Prompt, mode: Mode, model: str, *, with_schema: bool = True, extra: Mapping[str, Any] | None = None
) -> str:
    """sha256 over all that decides an answer: endpoint, model and every field of the prompt, ``repeat`` among them.

    ``extra`` are further fields of the request.
    """
    fields: dict[str, Any] = {
        "mode": mode,
        "model": model,
        "text": prompt.text,
        "system": prompt.system,
        # Properties are asked for in their order, so the order of the schema's keys counts.
        "schema": _ordered(prompt.schema) if with_schema and prompt.schema is not None else None,
        "max_tokens": prompt.max_tokens,
        "stop": list(prompt.stop),
        "temperature": float(prompt.temperature),
        "top_p": None if prompt.top_p is None else float(prompt.top_p),
        "repeat": prompt.repeat,
    }
    if prompt.opening:
        fields["opening"] = prompt.opening
    if extra:
        fields["extra"] = extra
    # A lone surrogate cannot be encoded; an odd prompt must still have a key.
    return hashlib.sha256(canonical_json(fields).encode("utf-8", "surrogatepass")).hexdigest()


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return [[key, _ordered(item)] for key, item in cast("dict[str, Any]", value).items()]
    return [_ordered(item) for item in cast("list[Any]", value)] if isinstance(value, (list, tuple)) else value


def default_cache() -> Path:
    """``$CLINSYNTH_CACHE``, else ``$XDG_CACHE_HOME/clinsynth/llm``, else ``~/.cache/clinsynth/llm``."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own).expanduser() if own else user_cache() / "llm"


class Cache:
    """A folder with one SQLite file. Every answer is its own transaction: none is half there, none is lost.

    Several processes may use it at a time. The folder is readable by its owner alone: answers may repeat what was
    restricted in their prompts.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be. Raises ``UserError`` where it cannot be used."""
        path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._db = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise UserError(
                f"{folder} cannot hold the cache of answers", found=str(error), remedy="name another folder: --cache"
            ) from error
        self._lock = threading.Lock()
        self.damaged = 0
        """Answers that were thrown away because they are not what was put there."""

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, key: str) -> Reply | None:
        """The answer of a request, if it has been given. One that does not fit its digest counts as none."""
        with self._lock:
            row = self._db.execute(
                "SELECT text, finish, tokens_in, tokens_out, model, structured, batch, seconds, sent, digest"
                " FROM replies WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        text, finish, tokens_in, tokens_out, model, structured, batch, seconds, sent, digest = row
        reply = Reply(
            text=text, finish=finish, tokens_in=tokens_in, tokens_out=tokens_out, model=model, structured=structured,
            batch=bool(batch), seconds=seconds, sent=sent,
        )  # fmt: skip
        if _digest(key, reply) == digest:
            return reply
        with self._lock:
            self.damaged += self._db.execute("DELETE FROM replies WHERE key = ?", (key,)).rowcount
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep an answer; the first one of a request stays."""
        kept = replace(reply, text=_storable(reply.text), model=_storable(reply.model), sent=_storable(reply.sent))
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, *astuple(kept), _digest(key, kept)),
            )

    def recall(self, server: str, model: str, mode: Mode) -> dict[str, str]:
        """Parameters that a server refused for a model in the last month, with what was done instead."""
        with self._lock:
            row = self._db.execute(
                "SELECT learnt, day FROM dialects WHERE server = ? AND model = ? AND mode = ?", (server, model, mode)
            ).fetchone()
        if row is None:
            return {}
        try:
            age = datetime.now(UTC).date() - date.fromisoformat(row[1])
            learnt: Any = json.loads(row[0]) if age.days <= REMEMBERED else {}
        except (ValueError, RecursionError):
            return {}
        fields = cast("dict[Any, Any]", learnt) if isinstance(learnt, dict) else {}
        return {str(name): str(done) for name, done in fields.items()}

    def remember(self, server: str, model: str, mode: Mode, left_out: Mapping[str, str]) -> None:
        """Keep what a server refuses, so that the next run does not begin with being refused."""
        row = (server, model, mode, json.dumps(dict(left_out)), datetime.now(UTC).date().isoformat())
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO dialects VALUES (?, ?, ?, ?, ?)", row)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The distinct keys without an answer, in order."""
        return [key for key in dict.fromkeys(keys) if self.get(key) is None]

    def pending(self, server: str) -> list[PendingBatch]:
        """Batches of a server that were handed in and not yet fetched."""
        with self._lock:
            rows = self._db.execute(
                "SELECT digest, batch, keys, structured FROM batches WHERE server = ? ORDER BY digest", (server,)
            ).fetchall()
        return [PendingBatch(digest, batch, tuple(keys.split()), how) for digest, batch, keys, how in rows]

    def note_batch(self, server: str, pending: PendingBatch) -> None:
        """Remember a batch: before it is handed in without an id, and afterwards with it."""
        row = (pending.digest, server, pending.batch, " ".join(pending.keys), pending.structured)
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)", row)

    def forget_batch(self, digest: str) -> None:
        """A batch has been fetched, or was never made."""
        with self._lock:
            self._db.execute("DELETE FROM batches WHERE digest = ?", (digest,))


def _storable(text: str) -> str:
    """Without lone surrogates, which no file takes."""
    return text.encode("utf-8", "replace").decode()


def _digest(key: str, reply: Reply) -> str:
    """sha256 over an answer and its key."""
    content = [key, *map(str, astuple(replace(reply, batch=bool(reply.batch), seconds=float(reply.seconds))))]
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()
