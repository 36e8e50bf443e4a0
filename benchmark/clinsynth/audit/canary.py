"""Canaries: secret strings put among real text before a generator sees it, and looked for in what comes out.

A canary is a line of six invented words of ten letters (30 bits each). What is kept to look for it later is a file of
keyed hashes of neighbouring word pairs (61 bits): it finds a canary, whole or in part, and does not give it away.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from clinsynth.core import Part, UserError, canonical_json, write_json, write_text
from clinsynth.text import words

WORDS = 6
"""Words of a canary."""
SYLLABLES = 5
"""Syllables of a word, two letters each."""
_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
SECRETS_FILE = "canaries.txt"
HASHES_FILE = "canary-hashes.json"
_GAP = 3
"""Two neighbours may stand so many places apart in a text that is searched: up to two inserted words
hide nothing."""


class CanaryHashes(Part):
    """What is kept to look for canaries; the canaries cannot be computed from it."""

    format: Literal[1] = 1
    salt: str
    """Key of the hashes, hexadecimal."""
    canaries: tuple[tuple[str, ...], ...]
    """For each canary the hashes of its neighbouring word pairs, in order."""

    @property
    def fingerprint(self) -> str:
        """sha256 over the content."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A canary in a text."""

    canary: int
    """Its number, from 1: the line of ``canaries.txt``."""
    pairs: int
    """How many of its word pairs were found."""
    exact: bool
    """Whether all of it was."""


def make(count: int) -> tuple[list[str], CanaryHashes]:
    """``count`` new canaries and what is needed to find them; from the operating system's random numbers."""
    lines = [" ".join(_word() for _ in range(WORDS)) for _ in range(count)]
    salt = secrets.token_hex(16)
    hashes = tuple(
        tuple(_digest(salt, *pair) for pair in zip(line.split(), line.split()[1:], strict=False)) for line in lines
    )
    return lines, CanaryHashes(salt=salt, canaries=hashes)


def _word() -> str:
    return "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(SYLLABLES))


def _digest(salt: str, left: str, right: str) -> str:
    return hashlib.blake2b(f"{left} {right}".encode(), key=bytes.fromhex(salt), digest_size=16).hexdigest()


def plant(folder: Path, count: int) -> CanaryHashes:
    """Write ``canaries.txt``, to be put among the real text and kept secret, and ``canary-hashes.json``, to be kept.

    Raises:
        UserError: the folder has canaries already, or ``count`` is no positive number.
    """
    if count < 1:
        raise UserError("no canary asked for", found=str(count), expected="1 or more")
    for name in (SECRETS_FILE, HASHES_FILE):
        if (folder / name).exists():
            raise UserError(f"{folder / name} exists", remedy="choose another folder: old canaries are still needed")
    lines, hashes = make(count)
    write_text(folder / SECRETS_FILE, "".join(f"{line}\n" for line in lines))
    (folder / SECRETS_FILE).chmod(0o600)
    write_json(folder / HASHES_FILE, hashes.model_dump(mode="json"))
    return hashes


def read_hashes(path: Path) -> CanaryHashes:
    """The hashes of planted canaries. Raises ``UserError`` naming the file if they cannot be read."""
    try:
        return CanaryHashes.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read", found=str(error.strerror), remedy="clinsynth canary plant") from None
    except ValidationError as error:
        raise UserError(f"{path} holds no canary hashes", found=error.errors()[0]["msg"]) from None


def look(texts: Iterable[str], hashes: CanaryHashes) -> list[Sighting]:
    """The canaries of which any word pair is in the texts of one row, whatever the case, spacing and punctuation.

    By chance no pair is ever found: there are 10^18 of them.
    """
    places = {digest: (n, k) for n, own in enumerate(hashes.canaries) for k, digest in enumerate(own)}
    found: set[tuple[int, int]] = set()
    for text in texts:
        for left, right in _pairs(words(text)):
            place = places.get(_digest(hashes.salt, left, right))
            if place is not None:
                found.add(place)
    by_canary = {n: sum(m == n for m, _ in found) for n in sorted({n for n, _ in found})}
    return [Sighting(n + 1, pairs, pairs == len(hashes.canaries[n])) for n, pairs in by_canary.items()]


def _pairs(row: Sequence[str]) -> Iterable[tuple[str, str]]:
    # Only words of a canary's length can be one: spares nearly all hashing.
    likely = [(k, word) for k, word in enumerate(row) if len(word) == 2 * SYLLABLES]
    for (i, left), (j, right) in combinations(likely, 2):
        if j - i <= _GAP:
            yield left, right
