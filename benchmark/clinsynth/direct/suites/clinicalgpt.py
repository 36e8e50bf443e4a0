"""The suite ``clinicalgpt``: knowledge, examinations, consultation, diagnosis."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from clinsynth.core import NotPreparedError, UserError, progress, write_jsonl_gz
from clinsynth.direct.card import write_card
from clinsynth.direct.runner import made_card, subset
from clinsynth.direct.session import CutShortError, Reply, Session
from clinsynth.direct.suites.questions import PlainTask, SuiteRequest, suite_record
from clinsynth.direct.suites.records import FORM, SuiteCell, SuiteRecord, stored_record, write_record
from clinsynth.direct.suites.sets import SETS, Item, SuiteFiles, SuiteSet
from clinsynth.direct.suites.texts import overlap, same_diagnosis, text_scores

SUITE = "clinicalgpt"

_PROMPTS = {
    "pubmedqa": "lm_eval.tasks.pubmedqa.preprocess_pubmedqa",
    "medqa_4options": "lm_eval.tasks.medqa.preprocess_medqa",
    "medmcqa": "lm_eval.tasks.medmcqa.utils_medmcqa",
}
"""Where lm-eval keeps ``doc_to_text`` of its own tasks."""
_STOP = {"choice": ("\n",), "diagnosis": ("\n", '"'), "text": ("\n\n\n",)}
_OPENING = {"choice": "", "diagnosis": ' "', "text": ""}
"""What a base model is to go on with. Asked for a diagnosis without it, it ends the line at once."""


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """The outcome of a suite."""

    records: Mapping[str, SuiteRecord]
    """By set."""
    kept: tuple[str, ...]
    skipped: Mapping[str, str]
    """Sets that are not here, or have no score, with the reason."""


def run_clinicalgpt(
    request: SuiteRequest, names: Sequence[str], source_dir: Path | None, raw_dir: Path
) -> SuiteOutcome:
    """Ask the sets that are not stored yet.

    Args:
        request: the model.
        names: of sets; all for none.
        source_dir: where the published files lie, as ``<set>/<file>``; ``None`` to download them.
        raw_dir: where downloads are kept.

    Raises:
        UnknownNameError: no such set.
        UserError: lm-eval is missing, a file is not the published one, the server failed, or no set could be asked.
    """
    out = request.out.absolute()
    card = made_card(request.model, out)
    session = Session(request.model, request.say)
    records: dict[str, SuiteRecord] = {}
    kept: list[str] = []
    skipped: dict[str, str] = {}
    chosen = [suite_set(name) for name in names or SETS]
    with progress(SUITE, len(chosen)) as bar:
        for each in chosen:
            try:
                work = prepare(request, each, source_dir, raw_dir)
            except NotPreparedError as error:
                skipped[each.name] = str(error).splitlines()[0]
                bar.advance(1)
                continue
            if isinstance(work, SuiteRecord):
                records[each.name] = work
                kept.append(each.name)
                bar.advance(1)
                continue
            write_card(out, card)
            began, share, before = time.monotonic(), 1 / len(work.positions), session.meter.new
            asked = None if work.limit is None else work.positions
            task = PlainTask(f"clinsynth_{each.name}", work.prompts, request.room(each.max_tokens), _STOP[each.kind],
                             _OPENING[each.kind])  # fmt: skip
            replies = session.ask(f"clinsynth_{each.name}", task, asked, partial(bar.advance, share),
                                  short=request.must_end(text=each.kind == "text"))  # fmt: skip
            bar.advance(1 - share * (session.meter.new - before))
            try:
                records[each.name] = _store(request, work, replies, time.monotonic() - began)
            except CutShortError as error:
                skipped[each.name] = " ".join(str(error).split())
                continue
            bar.say(f"{each.name}: {_line(records[each.name])}")
    if not records:
        raise UserError("no set could be asked", found="; ".join(f"{k}: {v}" for k, v in skipped.items()))
    return SuiteOutcome(records, tuple(kept), skipped)


@dataclass(frozen=True, slots=True)
class Work:
    """One set that is to be asked."""

    of: SuiteSet
    items: Sequence[Item]
    prompts: Sequence[str]
    """Of all of its questions."""
    positions: Sequence[int]
    """Questions that are to be asked."""
    limit: int | None
    digests: Mapping[str, str]
    """Of its files."""


def prepare(request: SuiteRequest, each: SuiteSet, source_dir: Path | None, raw_dir: Path) -> Work | SuiteRecord:
    """What is to be asked of a set, or the record that is there. Raises ``NotPreparedError`` where it is not here."""
    files = SuiteFiles(each.name, each.sources, source_dir, raw_dir)
    items = list(each.read(files))
    limit = request.limit if request.limit is not None and request.limit < len(items) else None
    found = stored_record(request.out, SuiteCell(SUITE, each.name, limit))
    wanted = (files.digests, FORM, request.room(each.max_tokens))
    if found is not None and (found.files, found.form, found.max_tokens) == wanted:
        return found
    shown = [f"{each.instruction}\n\n{question(each, item)}" for item in items]
    return Work(each, items, shown, subset(len(items), limit), limit, files.digests)


def suite_set(name: str) -> SuiteSet:
    """The set of that name. Raises ``UnknownNameError``."""
    from clinsynth.core import UnknownNameError

    if name not in SETS:
        raise UnknownNameError("set of the suite", name, SETS)
    return SETS[name]


def question(each: SuiteSet, item: Item) -> str:
    """The question as lm-eval's own task puts it, where there is one."""
    if not each.lm_eval:
        return item.prompt
    module: Any = importlib.import_module(_PROMPTS[each.lm_eval])
    return str(module.doc_to_text(item.doc))


def read_choice(item: Item, text: str) -> int | None:
    """The option that an answer names; ``None`` where it names none.

    A letter alone, or with a stop, bracket or colon and whatever follows; or the option's own words and nothing else.
    """
    plain = text.strip().strip("*`\"' ").removeprefix("Answer:").strip()
    options = [option.casefold().strip() for option in item.options]
    if plain.casefold().rstrip(".") in options:
        return options.index(plain.casefold().rstrip("."))
    if options == ["yes", "no", "maybe"]:
        found = re.match(r"(yes|no|maybe)\s*[.,:;]", plain, re.IGNORECASE)
        return options.index(found.group(1).lower()) if found else None
    found = re.match(r"\(?([A-Ea-e])(?:[.):：、]|\s*\Z)", plain)
    place = "abcde".index(found.group(1).lower()) if found else len(options)
    return place if place < len(options) else None


def _store(request: SuiteRequest, work: Work, replies: Sequence[Reply], seconds: float) -> SuiteRecord:
    each, limit = work.of, work.limit
    asked = [work.items[int(reply.doc["id"])] for reply in replies]
    rows, failures, scores = scored(each, asked, replies)
    record = suite_record(
        request, SUITE, each.name, replies, failures, must_end=request.must_end(text=each.kind == "text"),
        prompt_source=f"lm-eval {each.lm_eval}" if each.lm_eval else "clinsynth",
        max_tokens=request.room(each.max_tokens), examples=len(work.items), limit=limit, files=dict(work.digests),
        scores=scores, seconds=round(seconds, 3),
    )  # fmt: skip
    stored = ({"id": int(reply.doc["id"]), **row} for reply, row in zip(replies, rows, strict=True))
    write_jsonl_gz(record.cell.path(request.out).with_suffix(".jsonl.gz"), stored)
    return write_record(request.out, record)


def scored(
    each: SuiteSet, asked: Sequence[Item], replies: Sequence[Reply]
) -> tuple[list[dict[str, Any]], list[str], dict[str, float]]:
    """A row without text for each answer, why it could not be read, and the scores of all."""
    failures = [_failure(reply) for reply in replies]
    if each.kind == "choice":
        choices = [read_choice(item, reply.text) for item, reply in zip(asked, replies, strict=True)]
        failures = [
            "" if choice is not None else failure or "no-option"
            for choice, failure in zip(choices, failures, strict=True)
        ]
        right = [choice == item.answer for choice, item in zip(choices, asked, strict=True)]
        return [{"choice": choice} for choice in choices], failures, {"accuracy": mean(map(float, right))}
    answers = [reply.text.strip() for reply in replies]
    if each.kind == "diagnosis":
        exact = [float(same_diagnosis(a, item.references[0])) for a, item in zip(answers, asked, strict=True)]
        words = [overlap(a, item.references[0]) for a, item in zip(answers, asked, strict=True)]
        rows = [{"exact": e, "overlap": round(w, 6)} for e, w in zip(exact, words, strict=True)]
        return rows, failures, {"exact": mean(exact), "word_f1": mean(words)}
    scores = text_scores(answers, [item.references for item in asked], each.language)
    single = [text_scores([a], [item.references], each.language) for a, item in zip(answers, asked, strict=True)]
    return [{"rougeL": round(s["rougeL"], 6)} for s in single], failures, scores


def _failure(reply: Reply) -> str:
    if reply.meta.finish == "rejected":
        return "rejected"
    if not reply.text.strip():
        return "withheld" if reply.meta.finish == "filtered" else "empty"
    return ""


def _line(record: SuiteRecord) -> str:
    asked = sum(record.answers.values())
    bad = asked - record.answers.get("read", 0)
    scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in record.scores.items())
    return scores + (f", {bad:,} of {asked:,} answers unreadable" if bad else "") + (
        f" (preliminary: {asked:,} of {record.examples:,})" if record.limit else ""
    )  # fmt: skip
