"""Have a model answer tasks and store its answers; or estimate what that would ask and cost, without a request."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.core import Example, NotPreparedError, Progress, Task, UserError, now, progress
from clinsynth.data import DataStore, ExampleStore
from clinsynth.direct import prompts
from clinsynth.direct.card import DirectCard, is_direct, read_card, write_card
from clinsynth.direct.parsing import Parsed
from clinsynth.direct.prompts import Shots
from clinsynth.direct.records import (
    Answered,
    Demonstrations,
    DirectCell,
    DirectRecord,
    DirectResults,
    slug,
)
from clinsynth.direct.session import (
    CutShortError,
    Model,
    Reply,
    Session,
    quiet,
    refuse_cut,
    sent_by,
    server_environment,
    usage,
)
from clinsynth.llm import CHARACTERS_A_TOKEN, Prices, SentRequest, UnknownPrices
from clinsynth.results import TestData
from clinsynth.scoring import score_all
from clinsynth.submissions import Llm, check_name, fingerprint

LIMIT_SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Which tasks a model is asked, where its answers are stored, and within what limits."""

    tasks: Sequence[Task]
    model: Model
    out: Path
    """The folder; its last part is the name in the tables."""
    shots: int = 0
    """Demonstrations per label."""
    limit: int | None = None
    """Ask a seeded subset of so many test examples; the record is preliminary."""
    max_tokens: int | None = None
    """Room for each answer; ``None``: as the prompts say."""
    prices: Prices = field(default_factory=UnknownPrices)
    restricted: bool = False
    """Also send text under a data use agreement to a server elsewhere."""
    say: Callable[[str], None] = lambda _line: None
    """Gets a line for whatever a user should see during the work."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome, by task."""

    records: Mapping[str, DirectRecord]
    kept: tuple[str, ...]
    """Tasks whose record was there already."""
    skipped: Mapping[str, str]
    """Tasks that could not be asked, with the reason."""


def run(request: Request, store: ExampleStore) -> Outcome:
    """Ask what is not stored yet; each task's record is written when its last answer is there.

    Raises:
        UserError: lm-eval is not installed, the folder is another model's, the server failed or took not one request,
            or no task has a score.
    """
    out = request.out.absolute()
    card = made_card(request.model, out)
    session = Session(request.model, request.say)
    results = DirectResults(out, store.kind)
    records: dict[str, DirectRecord] = {}
    kept: list[str] = []
    skipped: dict[str, str] = {}
    with progress("direct", len(request.tasks)) as bar:
        for task in request.tasks:
            name = task.spec.name
            try:
                work = prepare(request, task, store, results)
            except NotPreparedError as error:
                skipped[name] = str(error).splitlines()[0]
                bar.advance(1)
                continue
            if isinstance(work, DirectRecord):
                records[name] = work
                kept.append(name)
                bar.advance(1)
                continue
            write_card(out, card)
            try:
                records[name] = _answer(work, request, session, bar)
            except NotPreparedError as error:  # no demonstrations
                skipped[name] = str(error).splitlines()[0]
            except CutShortError as error:
                skipped[name] = " ".join(str(error).split())
            else:
                bar.say(f"{name}: {_line(records[name])}")
    if not records:
        raise UserError("no task has a score", found="; ".join(f"{k}: {v}" for k, v in skipped.items()))
    return Outcome(records, tuple(kept), skipped)


@dataclass(frozen=True, slots=True)
class Work:
    """One task that is to be asked."""

    task: Task
    store: ExampleStore
    results: DirectResults
    cell: DirectCell
    gold: list[Example]
    positions: list[int]


def prepare(request: Request, task: Task, store: ExampleStore, results: DirectResults) -> Work | DirectRecord:
    """The work that a task needs, or its stored record. Raises ``NotPreparedError`` if it cannot be asked."""
    gold = store.examples(task, "test")
    restricted = store.kind == "real" and task.spec.access == "credentialed" and not request.restricted
    if restricted and request.model.elsewhere:
        raise NotPreparedError(f"{task.spec.name} is not sent to a server elsewhere without --send-restricted: its "
                               "data use agreement has to allow that")  # fmt: skip
    limit = request.limit if request.limit is not None and request.limit < len(gold) else None
    cell = DirectCell(task.spec.name, slug(request.model.name), request.shots, limit)
    stored = results.done(cell)
    if stored is not None:
        wanted = (store.fingerprint(task, "test"), prompts.FORM, request.max_tokens or prompts.max_tokens(task.spec))
        if wanted == (stored.test.fingerprint, stored.form, stored.max_tokens):
            return stored
    return Work(task, store, results, cell, gold, subset(len(gold), limit))


def subset(examples: int, limit: int | None) -> list[int]:
    """Positions in the test set, rising; a smaller subset is part of a larger one."""
    if limit is None or limit >= examples:
        return list(range(examples))
    return sorted(int(k) for k in np.random.default_rng(LIMIT_SEED).permutation(examples)[:limit])


def _answer(work: Work, request: Request, session: Session, bar: Progress) -> DirectRecord:
    spec, began = work.task.spec, time.monotonic()
    # Needs lm-eval, which boards and comparisons, that take subsets from here, do without.
    lm_task: Any = importlib.import_module("clinsynth.direct.lm_eval_task")
    folder = work.store.root if isinstance(work.store, DataStore) else None
    said = lm_task.metadata(spec.name, folder, work.store.kind == "sample")
    with quiet():
        task: Any = lm_task.DirectTask({"metadata": said})
    task.set_config(key="num_fewshot", value=request.shots)
    if request.max_tokens is not None:
        task.set_config(key="generation_kwargs", value={"max_gen_toks": request.max_tokens}, update=True)
    share, before = 1 / len(work.positions), session.meter.new
    positions = None if work.cell.limit is None else work.positions
    replies = session.ask(lm_task.lm_eval_name(spec.name), task, positions, partial(bar.advance, share), short=True)
    bar.advance(1 - share * (session.meter.new - before))
    return _store(work, request, task, replies, time.monotonic() - began)


def _store(work: Work, request: Request, task: Any, replies: Sequence[Reply], seconds: float) -> DirectRecord:
    spec, model = work.task.spec, request.model
    room = request.max_tokens or prompts.max_tokens(spec)
    refuse_cut(replies, room)
    asked: list[Example] = [work.gold[int(reply.doc["id"])] for reply in replies]
    parsed: list[Parsed] = [task.read(reply.doc, reply.text, reply.meta.finish) for reply in replies]
    answered = [
        Answered(position, each.prediction, each.failure or "")
        for position, each in zip(work.positions, parsed, strict=True)
    ]
    sent = sent_by(replies)
    digest = work.results.write_predictions(work.cell, answered, spans=spec.is_span)
    record = DirectRecord(
        submission=work.results.folder.name, task=spec.name, task_version=spec.version, model=model.name,
        slug=work.cell.model, snapshot=model.snapshot,
        reported=tuple(sorted({reply.meta.model for reply in replies if reply.meta.model})),
        backend=model.backend, mode=model.mode, form=prompts.FORM,
        prompts_sha256=prompts.prompt_digest([reply.prompt for reply in replies]),
        shots=request.shots, demonstrations=_demonstrations(task, request.shots),
        max_tokens=room, temperature=_temperature(sent),
        limit=work.cell.limit, limit_seed=LIMIT_SEED,
        test=TestData(kind=work.store.kind, fingerprint=work.store.fingerprint(work.task, "test"),
                      examples=len(work.gold)),
        answers=dict(sorted(Counter(each.failure or "read" for each in parsed).items())),
        finish=dict(sorted(Counter(reply.meta.finish for reply in replies).items())),
        mentions=dict(sorted(sum((each.counts for each in parsed), Counter[str]()).items())),
        usage=usage([reply.meta for reply in replies], request.prices),
        metric=spec.metric, scores=score_all(spec, asked, [each.prediction for each in parsed]),
        sent=sent, weights=model.weights,
        predictions_sha256=digest, seconds=round(seconds, 3), environment=server_environment(model.backend),
        created=now(),
    )  # fmt: skip
    return work.results.write_record(record)


def _temperature(sent: Sequence[SentRequest]) -> float | None:
    """The temperature that was sent; lm-eval's own models, which send none, are greedy."""
    if not sent:
        return 0.0
    temperatures = [one.request.get("temperature") for one in sent]
    only = temperatures[0] if all(each == temperatures[0] for each in temperatures) else None
    return float(only) if isinstance(only, (int, float)) else None


def _demonstrations(task: Any, shots: int) -> Demonstrations | None:
    if not shots:
        return None
    shown: Sequence[Example] = task.shots.ordered(shots)
    split = task.shots.drawn(shots).split
    return Demonstrations(fingerprint=fingerprint(list(shown), task.task.spec), examples=len(shown), split=split)


def made_card(model: Model, out: Path) -> DirectCard:
    """The card that is in ``out``, or the one to write there. Raises ``UserError`` if it is another model's."""
    check_name(out.name)
    llm = Llm(name=model.name, snapshot=model.snapshot)
    if is_direct(out):
        card = read_card(out)
        if (card.llm, card.backend, card.mode) != (llm, model.backend, model.mode):
            raise UserError(
                f"{out} holds the answers of another model, or of the same one asked in another way",
                found=f"{card.llm.name} {card.llm.snapshot} {card.backend} {card.mode}",
                expected=f"{llm.name} {llm.snapshot} {model.backend} {model.mode}",
                remedy="choose another --out",
            )
        return card
    return DirectCard(name=out.name, title=model.name, backend=model.backend, mode=model.mode, llm=llm)


def _line(record: DirectRecord) -> str:
    of = sum(record.answers.values())
    bad = f", {record.unparsable:,} of {of:,} answers unparsable" if record.unparsable else ""
    limit = f" (preliminary: {record.limit:,} examples)" if record.limit else ""
    return f"{record.metric.replace('_', ' ')} {100 * record.score:.1f}{bad}{limit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Estimate of a task's requests before any is sent."""

    task: str
    """The task, set or judge."""
    calls: int
    """Requests at most: answers in the cache are not looked for. 0 where the record is there."""
    tokens_in: int
    """At four characters per token."""
    most_tokens_out: int
    """Tokens out if every answer is as long as it may be."""
    most_dollars: float | None
    """Price of these tokens; ``None`` where it is not known."""
    prompt: str
    """The first request, of a conversation each message under its role; empty where its text is not open to all."""
    skipped: str = ""
    """Why it would not be asked."""


def estimate(request: Request, store: ExampleStore) -> Iterator[Estimate]:
    """The estimate of each task. Raises ``UserError`` where a record cannot be read."""
    results = DirectResults(request.out.absolute(), store.kind)
    for task in request.tasks:
        name = task.spec.name
        try:
            work = prepare(request, task, store, results)
            if isinstance(work, DirectRecord):
                yield nothing(name, "stored before")
                continue
            shots = Shots(store, task)
            asked = [_prompt(request, shots, work.gold[k]) for k in work.positions]
        except NotPreparedError as error:
            yield nothing(name, str(error).splitlines()[0])
            continue
        priced = estimated(name, asked, request.max_tokens or prompts.max_tokens(task.spec), request.prices)
        is_open = store.kind == "sample" or task.spec.access == "open"
        yield priced if is_open else replace(priced, prompt="")


def estimated(what: str, asked: Sequence[str], max_tokens: int, prices: Prices) -> Estimate:
    """The estimate of these prompts, each with room for so many tokens."""
    tokens_in = round(sum(map(len, asked)) / CHARACTERS_A_TOKEN)
    tokens_out = len(asked) * max_tokens
    return Estimate(
        task=what, calls=len(asked), tokens_in=tokens_in, most_tokens_out=tokens_out,
        most_dollars=prices.cost(tokens_in, tokens_out, batch=False), prompt=asked[0] if asked else "",
    )  # fmt: skip


def nothing(task: str, why: str) -> Estimate:
    """An estimate that says why nothing is asked."""
    return Estimate(task=task, calls=0, tokens_in=0, most_tokens_out=0, most_dollars=0.0, prompt="", skipped=why)


def _prompt(request: Request, shots: Shots, example: Example) -> str:
    spec, shown = shots.task.spec, shots.shown(example, request.shots)
    if request.model.mode == "completion":
        return prompts.completion(spec, shown, example)
    messages = prompts.conversation(spec, shown, example)
    return "\n".join(f"[{message['role']}] {message['content']}" for message in messages)
