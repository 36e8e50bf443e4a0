"""Checks of a file's rows taken together, beyond the form of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from statistics import median

from clinsynth.core import REFERENCES, Example, TaskSpec, UnknownNameError
from clinsynth.submissions.card import CARD_FILE, Card
from clinsynth.submissions.faults import Findings, Problem, Report, discreet
from clinsynth.submissions.rows import DATA, HARMLESS, is_private, known_specs, read_lines, scan, too_deep
from clinsynth.task_types import Fault, task_type

HEADLINE_ROWS = 300
"""Rows of a headline run of the default student (protocol, students and recipes)."""
SHORT_WORDS = 3
LONG_TIMES = 10
"""A row is absurdly long at this many times the median number of words..."""
LONG_WORDS = 100
"""...and more words than this: a file of short sentences may hold one abstract."""

_Target = tuple[object, ...]


@dataclass(slots=True)
class Corpus:
    """A running tally; only a digest of each text is kept, so that the largest file fits in memory."""

    spec: TaskSpec
    file: str
    words: dict[int, int] = field(default_factory=dict[int, int])
    """Number of words of each line, by line number."""
    first: dict[bytes, dict[_Target, int]] = field(default_factory=dict[bytes, dict[_Target, int]])
    """For each input, the line where each of its targets was first met."""
    repeats: list[int] = field(default_factory=list[int])
    targets: Counter[_Target] = field(default_factory=Counter[_Target])
    labels: set[str] = field(default_factory=set[str])

    def add(self, number: int, example: Example) -> None:
        """Count one good row."""
        self.words[number] = sum(len(text.split()) for text in example.texts)
        target: _Target = (example.labels, example.spans)
        seen = self.first.setdefault(blake2b("\0".join(example.texts).encode(), digest_size=16).digest(), {})
        if target in seen:
            self.repeats.append(number)
        else:
            seen[target] = number
        # A text without a mention teaches too, but a file of nothing else does not: spans count as one target.
        self.targets[(bool(example.spans),) if self.spec.is_span else target] += 1
        self.labels.update(example.labels, (span.label for span in example.spans))

    def report(self, findings: Findings) -> None:
        """Log the warnings; nothing for a file without a good row."""
        if not self.words:
            return
        self._lengths(findings)
        self._repeats(findings)
        self._targets(findings)
        if len(self.words) < HEADLINE_ROWS:
            findings.warn(
                "few-rows",
                self.file,
                found=f"{len(self.words):,} good rows",
                expected=f"{HEADLINE_ROWS:,}, the budget of a headline run",
                remedy="generate more, or show the learning curve up to here",
            )

    def _lengths(self, findings: Findings) -> None:
        limit = max(LONG_WORDS, LONG_TIMES * median(self.words.values()))
        short = [number for number, words in self.words.items() if words < SHORT_WORDS]
        long = [number for number, words in self.words.items() if words > limit]
        if short:
            found = f"{len(short):,} rows have under {SHORT_WORDS} words: lines {_some(short)}"
            said = (found, f"at least {SHORT_WORDS}", "look for broken generations")
            findings.add(Problem("warning", "very-short", self.file, short[0], *said), len(short))
        if long:
            found = f"{len(long):,} rows are longer than all reason: lines {_some(long)}"
            said = (found, f"at most {limit:,.0f} words in this file", "look for runaway generations")
            findings.add(Problem("warning", "very-long", self.file, long[0], *said), len(long))

    def _repeats(self, findings: Findings) -> None:
        if self.repeats:
            found = f"{len(self.repeats):,} rows repeat an earlier one: lines {_some(self.repeats)}"
            said = (found, "each row once", "drop repeats: they take the place of other rows in the budget")
            findings.add(Problem("warning", "duplicate-rows", self.file, self.repeats[0], *said), len(self.repeats))
        clashes = [sorted(lines.values()) for lines in self.first.values() if len(lines) > 1]
        if clashes:
            pairs = "; ".join(" and ".join(f"{n}" for n in lines[:3]) for lines in clashes[:3])
            found = (
                f"{len(clashes):,} inputs have more than one answer: lines {pairs}{'; …' if len(clashes) > 3 else ''}"
            )
            said = (found, "one answer for an input", "keep the right one")
            findings.add(Problem("warning", "conflicting-labels", self.file, clashes[0][1], *said), len(clashes))

    def _targets(self, findings: Findings) -> None:
        if len(self.targets) == 1 and (not self.spec.is_span or not self.labels):
            found = "no row has an entity" if self.spec.is_span else f"every row has the answer {sorted(self.labels)}"
            findings.warn(
                "one-target", self.file, found=found, expected="different answers", remedy="there is nothing to learn"
            )
        for label in self.spec.labels:
            if label not in self.labels:
                findings.warn(
                    "label-absent", self.file, found=f"no row has {label}", expected="every label", remedy="add some"
                )


def _some(lines: Iterable[int], most: int = 5) -> str:
    given = list(lines)
    return ", ".join(f"{line}" for line in given[:most]) + (", …" if len(given) > most else "")


def validate(path: Path, tasks: Iterable[str] | None = None, *, specs: Mapping[str, TaskSpec] | None = None) -> Report:
    """Check the folder, its card and every row of its data.

    Args:
        path: the submission's folder.
        tasks: check the files of these tasks only; all for ``None``.
        specs: the tasks there are; every registered one for ``None``.

    Raises:
        UnknownNameError: ``tasks`` names something that is no task. What is wrong with the submission never raises.
    """
    path = path.absolute()
    known = known_specs(specs)
    wanted = list(dict.fromkeys(tasks)) if tasks is not None else None
    for name in wanted or ():
        if name not in known:
            raise UnknownNameError("task", name, known)
    findings = Findings()
    scanned = scan(path, known, findings)
    files = scanned.files
    if scanned.card:
        _check_kind(scanned.card, findings)
    for name in scanned.card.losses if scanned.card else ():
        if name not in known:
            findings.warn(
                "unknown-losses", CARD_FILE, found=f"losses.{name}", expected="a task: " + ", ".join(sorted(known)),
                remedy=f"correct the name under [losses] in {CARD_FILE}, or remove the line: it is never counted",
            )  # fmt: skip
    for name in wanted or ():
        if files and name not in files:
            remedy = f"write {DATA}/{name}.jsonl.gz, or leave the task out of the check"
            findings.error(
                "no-task-data", DATA, found=f"nothing for {name}", expected="a file for each task", remedy=remedy
            )
    rows = {
        name: _check(file, f"{DATA}/{file.name}", known[name], findings)
        for name, file in files.items()
        if wanted is None or name in wanted
    }
    return findings.report(path, rows)


def read_rows(file: Path, spec: TaskSpec) -> Iterator[tuple[int | None, Example | Fault]]:
    """Each line of a data file as an example, or what is wrong with it; one line may have several faults.

    Faults of rows that stay private quote nothing of them.
    """
    kind, private = task_type(spec), is_private(file.parent, spec)
    for number, value, fault in read_lines(file):
        if fault is not None:
            yield number, discreet(fault, private=private)
            continue
        try:
            faults = list(kind.faults(value, spec))
        except RecursionError:
            # A value just shallow enough to be read can still be too deep to be shown in a message.
            faults = [too_deep()]
        yield from ((number, discreet(fault, private=private)) for fault in faults)
        if not faults:
            yield number, kind.decode(value)  # pyright: ignore[reportArgumentType] - a value without faults is a row


def _check_kind(card: Card, findings: Findings) -> None:
    """Note a reference under a name of its own: it is good to work with here, and no row to hand in."""
    if card.kind == "reference" and card.name not in REFERENCES:
        findings.error(
            "reference-name", CARD_FILE, found=f'kind = "reference" in the card of {card.name}',
            expected=f"of what is handed in, only {', '.join(REFERENCES)} are references",
            remedy='write kind = "submission"; on your own machine it may stay, and decides nothing for other rows',
        )  # fmt: skip


def _check(file: Path, where: str, spec: TaskSpec, findings: Findings) -> int:
    corpus = Corpus(spec, where)
    clean = True
    for number, item in read_rows(file, spec):
        if isinstance(item, Example):
            corpus.add(number or 0, item)
            continue
        severity = "warning" if item.reason in HARMLESS else "error"
        clean = clean and severity == "warning"
        findings.add(Problem(severity, item.reason, where, number, item.found, item.expected, item.remedy))
    if not corpus.words and clean:
        findings.error(
            "no-rows", where, found="no row", expected="one JSON object a line", remedy="remove the empty file"
        )
    corpus.report(findings)
    return len(corpus.words)
