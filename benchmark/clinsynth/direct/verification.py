"""``validate`` and ``verify`` for a folder of the direct track."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.data import ExampleStore
from clinsynth.direct.card import CARD_FILE, read_card
from clinsynth.direct.records import DirectRecord, DirectResults, read_record
from clinsynth.direct.runner import subset
from clinsynth.direct.suites import read_suite_record
from clinsynth.results import Finding, GoldSets, Verified, place_faults, said, score_faults
from clinsynth.scoring import score_all
from clinsynth.submissions import Findings, Report

_KNOWN = frozenset({CARD_FILE, "direct", "direct-predictions", "sample", "suites", "README.md"})


def validate_direct(folder: Path) -> Report:
    """Check card, names and records without any test data. What is wrong never raises."""
    folder = folder.absolute()
    findings = Findings()
    rows: dict[str, int] = {}
    try:
        card = read_card(folder)
    except UserError as error:
        findings.error("bad-card", CARD_FILE, found=str(error).splitlines()[-1].strip())
        card = None
    for stray in sorted(path.name for path in folder.iterdir() if path.name not in _KNOWN):
        findings.warn("stray-file", stray, found="nothing of the direct track", remedy="remove it")
    for path, results in _record_paths(folder):
        where = str(path.relative_to(folder))
        try:
            record = read_record(path, edited=True)
        except UserError as error:
            findings.error("bad-record", where, found=said(error))
            continue
        for fault in _faults(record, results):
            findings.error("bad-record", where, found=fault)
        if card and (record.model, record.snapshot, record.mode) != (card.llm.name, card.llm.snapshot, card.mode):
            findings.error("other-model", where, found=f"{record.model} {record.snapshot}", expected=card.llm.name)
        if record.limit is not None:
            findings.warn("preliminary", where, found=f"{record.limit:,} of {record.test.examples:,} examples",
                          remedy="run it without --limit to have it compared")  # fmt: skip
        rows[f"{record.task} {record.row}"] = sum(record.answers.values())
    suites = sorted(folder.glob("**/suites/*/*.json"))
    for path in suites:
        try:
            read_suite_record(path)
        except UserError as error:
            findings.error("bad-record", str(path.relative_to(folder)), found=said(error))
    if not rows and not suites:
        findings.error("no-records", "direct", found="no record", expected="direct/<task>/<model>/shots<k>.json")
    return findings.report(folder, rows)


def verify_direct(folder: Path, store: ExampleStore) -> Verified:
    """Recompute every score from the stored predictions. Raises ``UserError`` where there is no record."""
    results = DirectResults(folder.absolute(), store.kind)
    paths = list(results.record_paths())
    if not paths:
        raise UserError(f"no records under {results.runs}", remedy="clinsynth direct")
    findings: list[Finding] = []
    tests = GoldSets(store)
    for path in paths:
        findings += _check(path, results, tests)
    return Verified(len(paths), tuple(findings))


def _record_paths(folder: Path) -> Iterator[tuple[Path, DirectResults]]:
    for results in (DirectResults(folder, "real"), DirectResults(folder, "sample")):
        for path in results.record_paths():
            yield path, results


def _faults(record: DirectRecord, results: DirectResults) -> Iterator[str]:
    yield from place_faults(record, results.folder, results.kind)
    if record.task not in TASKS:
        yield f"no task {record.task}"
        return
    try:
        answered, digest = results.read_predictions(record)
    except UserError as error:
        yield said(error)
        return
    if digest != record.predictions_sha256:
        yield "not the predictions that the record was made from"
    if [each.position for each in answered] != subset(record.test.examples, record.limit):
        yield "not the examples that were to be asked"
    unparsable = sum(bool(each.unparsable) for each in answered)
    if unparsable != record.unparsable:
        yield f"{unparsable} predictions are marked unparsable, the record has {record.unparsable}"


def _check(path: Path, results: DirectResults, tests: GoldSets) -> list[Finding]:
    try:
        record = read_record(path, edited=True)
    except UserError as error:
        return [Finding("failed", path, said(error))]
    findings = [Finding("failed", path, fault) for fault in _faults(record, results)]
    if record.task in TASKS:
        findings += _score_findings(path, record, results, tests)
    return findings


def _score_findings(path: Path, record: DirectRecord, results: DirectResults, tests: GoldSets) -> list[Finding]:
    try:
        answered, _ = results.read_predictions(record)
    except UserError:
        return []  # among the faults already
    gold = tests.same(record, path)
    if isinstance(gold, Finding):
        return [gold]
    if any(each.position >= len(gold) for each in answered):
        return [Finding("failed", path, "predictions beyond the test set")]
    spec = TASKS[record.task].spec
    scores = score_all(spec, [gold[each.position] for each in answered], [a.prediction for a in answered])
    return [Finding("failed", path, fault) for fault in score_faults(record, spec, scores)]
