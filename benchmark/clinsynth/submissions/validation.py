"""Check a submission before any compute is spent on it: all problems in one report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clinsynth.errors import UnknownNameError
from clinsynth.schema import Example, TaskSpec
from clinsynth.submissions.card import CARD_FILE
from clinsynth.submissions.corpus import Corpus
from clinsynth.submissions.report import Findings, Problem, Report
from clinsynth.submissions.rowfile import BLANK, read_lines, too_deep
from clinsynth.submissions.scan import DATA, known_specs, scan
from clinsynth.task_types import task_type
from clinsynth.task_types.base import Fault


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
    found = scan(path, known, findings)
    files = found.files
    for name in found.card.losses if found.card else ():
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
    """Each line of a data file as an example, or what is wrong with it; one line may have several faults."""
    kind = task_type(spec)
    for number, value, fault in read_lines(file):
        if fault is not None:
            yield number, fault
            continue
        try:
            faults = list(kind.faults(value, spec))
        except RecursionError:
            # A value just shallow enough to be read can still be too deep to be shown in a message.
            faults = [too_deep()]
        yield from ((number, fault) for fault in faults)
        if not faults:
            yield number, kind.decode(value)  # pyright: ignore[reportArgumentType] - a value without faults is a row


def _check(file: Path, where: str, spec: TaskSpec, findings: Findings) -> int:
    corpus = Corpus(spec, where)
    clean = True
    for number, item in read_rows(file, spec):
        if isinstance(item, Example):
            corpus.add(number or 0, item)
            continue
        severity = "warning" if item.reason == BLANK else "error"
        clean = clean and severity == "warning"
        findings.add(Problem(severity, item.reason, where, number, item.found, item.expected, item.remedy))
    if not corpus.words and clean:
        findings.error(
            "no-rows", where, found="no row", expected="one JSON object a line", remedy="remove the empty file"
        )
    corpus.report(findings)
    return len(corpus.words)
