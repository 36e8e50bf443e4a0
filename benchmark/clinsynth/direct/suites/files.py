"""Published files of a suite: found in a folder or downloaded, unpacked, and checked against their pinned digest."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from clinsynth.data.fetch import MissingSourceError, check, download, unpack
from clinsynth.errors import NotPreparedError
from clinsynth.schema import Source


class SuiteFiles:
    """The files of one set, as its reader sees them (``RawFiles``)."""

    def __init__(self, name: str, sources: Sequence[Source], source_dir: Path | None, raw_dir: Path) -> None:
        """Look in ``source_dir/<name>`` first; without a ``source_dir``, in ``raw_dir/<name>`` and on the network."""
        self._name = name
        self._sources = {source.path: source for source in sources}
        self._from = source_dir
        self._raw = raw_dir / name
        self.digests: dict[str, str] = {}
        """sha256 of the unpacked content of every file that was opened."""

    def open(self, path: str) -> IO[str]:
        """A verified file as UTF-8 text; of a zip archive, the one file that is in it.

        Raises:
            NotPreparedError: it is not here and cannot be had.
            UserError: it is not the published file.
        """
        source = self._sources[path]
        place = self._find(source) or self._download(source)
        content = unpack(place)
        self.digests[path] = check(content, source, str(place))
        if path.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inside = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
                content = archive.read(inside[0])
        # Byte order marks: several of these files come from spreadsheets.
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")

    def _find(self, source: Source) -> Path | None:
        folder = self._from / self._name if self._from is not None else self._raw
        places = (folder / f"{source.path}{suffix}" for suffix in ("", ".gz"))
        return next((place for place in places if place.is_file()), None)

    def _download(self, source: Source) -> Path:
        if self._from is not None or not source.url:
            folder = self._from / self._name if self._from is not None else self._raw
            raise NotPreparedError(
                f"{source.path} of {self._name} is not in {folder}",
                remedy=f"published at {source.url}" if source.url else "it must be brought by you: docs/suites.md",
            )
        self._raw.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".download-", dir=self._raw))
        try:
            got = download(source.url, folder)
            check(got.read_bytes(), source, source.url)
            got.chmod(0o644)
            got.replace(self._raw / source.path)
        except MissingSourceError as error:
            raise NotPreparedError(str(error), remedy="give --from a folder that holds it") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._raw / source.path
