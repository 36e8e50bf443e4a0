"""The published files: found in a folder or downloaded, unpacked, and checked against their pinned digest."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any

from clinsynth.core import SPLITS, Source, Split, Task, TaskSpec, UserError

RETRIES = 2
TIMEOUT_SECONDS = 30


class MissingSourceError(Exception):
    """A source file is not here and could not be had; the message says where it was looked for."""


def git_blob(content: bytes) -> str:
    """The id that git gives a file's content."""
    # SHA-1 because git uses it: the id pins a file that was never here, it does not guard a secret.
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pin(source: Source) -> str:
    """The digest that the content must have: ``sha256:...``, ``git:...``, or empty where none is known."""
    if source.sha256:
        return f"sha256:{source.sha256}"
    return f"git:{source.git_blob}" if source.git_blob else ""


def check(content: bytes, source: Source, place: str) -> str:
    """Return the sha256 of unpacked content, or raise ``UserError`` where it is not the pinned file."""
    sha256 = hashlib.sha256(content).hexdigest()
    digest = git_blob(content) if source.git_blob and not source.sha256 else sha256
    expected = source.sha256 or source.git_blob
    if expected and digest != expected:
        kind = "sha256" if source.sha256 else "git blob"
        raise UserError(
            f"{place} is not the published file {source.path}",
            found=f"{kind} {digest} ({len(content):,} bytes unpacked)",
            expected=f"{kind} {expected}",
            remedy=f"replace it by {source.url}" if source.url else "replace it by the file as it was published",
        )
    return sha256


def unpack(path: Path) -> bytes:
    """Content of a file, unpacked where its name ends in ``.gz``; ``UserError`` where it cannot be read."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}", found=str(error), remedy="check the file and its permissions") from None
    if path.suffix != ".gz":
        return packed
    try:
        return gzip.decompress(packed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"cannot unpack {path}",
            found=f"{error} ({len(packed):,} bytes stored)",
            expected="a whole gzip file",
            remedy="copy or download it again",
        ) from None


def splits_of(spec: TaskSpec) -> list[Split]:
    """The splits that the task's sources can give, in the order train, dev, test."""
    given = {split for source in spec.sources for split in source.splits}
    return [split for split in SPLITS if split in given]


class Files:
    """The sources of one task as its reader sees them (``RawFiles``).

    A file is verified each time that it is opened and parsed from the same bytes, so nothing unverified is read.
    """

    def __init__(self, task: Task, source_dir: Path | None, raw_dir: Path) -> None:
        """Look in ``source_dir`` first, then in ``raw_dir`` (earlier downloads).

        With a ``source_dir`` nothing is ever downloaded: who names a folder may sit behind an air gap.
        """
        self._spec = task.spec
        self._source_dir = source_dir
        self._raw = raw_dir
        self._sources = {source.path: source for source in task.spec.sources}
        self.digests: dict[str, str] = {}
        """sha256 of the unpacked content of every source opened so far."""

    def open(self, path: str) -> IO[str]:
        """Open a source as verified UTF-8 text with its line ends kept."""
        source = self._sources.get(path)
        if source is None:
            raise ValueError(f"the reader of {self._spec.name} asks for {path}, which is not among its sources")
        place = self.find(source) or self._download(source)
        content = unpack(place)
        self.digests[path] = check(content, source, str(place))
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")

    def find(self, source: Source) -> Path | None:
        """Where the file lies on this machine, if it does."""
        names = [self._spec.name, *filter(None, [source.task])]
        folders = [self._raw / name for name in names]
        if self._source_dir is not None:
            # Names like train.tsv are shared by several tasks, so a bare folder counts only if it is this task's
            # own, or where the user had to bring the file and cannot be expected to know our layout.
            bare = [self._source_dir] if self._source_dir.name == self._spec.name or not source.url else []
            folders = [*(self._source_dir / name for name in names), *bare, *folders]
        places = (folder / f"{source.path}{suffix}" for folder in folders for suffix in ("", ".gz"))
        return next((place for place in places if place.is_file()), None)

    def why_missing(self, source: Source) -> str:
        """Why the file cannot be had without a download; empty where it can."""
        if self.find(source) is not None:
            return ""
        if self._source_dir is not None:
            place = f"{source.path} is not under {self._source_dir / (source.task or self._spec.name)}"
            return f"{place} (published at {source.url})" if source.url else place
        return "" if source.url else f"{source.path} must be brought by you"

    def _download(self, source: Source) -> Path:
        if reason := self.why_missing(source):
            raise MissingSourceError(reason)
        target = self._raw / (source.task or self._spec.name) / source.path
        target.parent.mkdir(parents=True, exist_ok=True)
        # On the same disk as the target, so that the move at the end is atomic.
        folder = Path(tempfile.mkdtemp(prefix=".download-", dir=target.parent))
        try:
            got = download(source.url, folder)
            check(got.read_bytes(), source, source.url)
            got.chmod(0o644)
            got.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return target


def download(url: str, folder: Path) -> Path:
    """Fetch ``url`` into ``folder`` with retries. Raises ``MissingSourceError`` where the network fails."""
    # Imported here: 60 ms, and not needed where the files are on disk.
    pooch: Any = importlib.import_module("pooch")
    pooch.get_logger().setLevel("ERROR")
    fetcher = pooch.create(
        path=folder, base_url="", registry={"file": None}, urls={"file": url}, retry_if_failed=RETRIES
    )
    try:
        return Path(fetcher.fetch("file", downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS)))
    except OSError as error:  # every error of requests is one
        raise MissingSourceError(f"download of {url} failed: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    # requests and urllib3 wrap the cause in several layers, each repeating the address.
    inner = [getattr(error, "reason", None), *error.args]
    cause = next((part for part in inner if isinstance(part, BaseException)), None)
    return _reason(cause) if cause else str(error) or type(error).__name__
