"""Archives that readers hand over: few at a time, bounded while they come in, gone when the report is given."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from clinsynth.core import UserError, clean
from clinsynth.leaderboard.archive import SUFFIXES, is_archive, report

UPLOAD = 100 * 1024 * 1024
"""Largest archive that is taken, in bytes."""
AT_A_TIME = 4
"""Archives that may come in or wait at the same time; the next one is told to come again."""
RECEIVE_SECONDS = 300.0
_FORM = 64 * 1024
"""Bytes that a form has around its file."""


class RefusedError(Exception):
    """An upload that is not looked at, with the HTTP status that says so."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Uploads:
    """One queue of archives: each is checked by itself, in the order in which they came in."""

    def __init__(self) -> None:
        self._here = 0
        self._one = asyncio.Lock()

    async def check(self, request: Any) -> str:
        """The report on the archive in a form. Raises ``RefusedError`` for what is not looked at."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise RefusedError(411, "the request does not say how long it is")
        if int(length) > UPLOAD + _FORM:
            raise RefusedError(413, f"an archive may have {UPLOAD // 2**20} MiB at most")
        if self._here >= AT_A_TIME:
            raise RefusedError(503, "other archives are being checked: come again in some minutes")
        self._here += 1
        try:
            return await self._checked(request)
        finally:
            self._here -= 1

    async def _checked(self, request: Any) -> str:
        multipart: Any = import_module("starlette.formparsers").MultiPartException
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                # What is in the form lies in unnamed files, which are gone with the process, however it ends.
                form: Any = await request.form(max_files=1, max_fields=0)
        except TimeoutError as error:
            raise RefusedError(408, "the archive came in too slowly") from error
        except multipart as error:
            raise RefusedError(400, "the form cannot be read") from error
        try:
            file = form.get("archive")
            name = str(getattr(file, "filename", "") or "")
            if file is None or not is_archive(name):
                raise RefusedError(415, f"this is no archive: its name must end in {' or '.join(SUFFIXES)}")
            async with self._one:
                return await asyncio.to_thread(_report, file.file, Path(name).name)
        finally:
            await form.close()


def _report(stream: Any, name: str) -> str:
    with tempfile.NamedTemporaryFile(prefix="clinsynth-upload-") as stored:
        stream.seek(0)
        shutil.copyfileobj(stream, stored)
        stored.flush()
        try:
            return clean(report(Path(stored.name), name)[0])
        except UserError as error:
            return clean(str(error))
