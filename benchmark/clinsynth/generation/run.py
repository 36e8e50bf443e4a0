"""Run a baseline for some tasks and write what it makes as an ordinary submission; and what that would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from clinsynth.core import NotPreparedError, Progress, Row, Task, UserError, progress
from clinsynth.data import ExampleStore
from clinsynth.generation.baseline import Asking, Baseline, Budget, Knowledge, Tally, Tools, class_of
from clinsynth.generation.loop import Made, RealSplit, make, pace, rng_of, task_view
from clinsynth.generation.record import (
    FOLDER,
    GenerationRecord,
    card_of,
    disclosures_of,
    must_stay_private,
    read_generation,
    total_cost,
    write_generation,
)
from clinsynth.llm import LLM, Answer, Client, Mode, Prompt, is_local, likely_tokens
from clinsynth.submissions import CARD_FILE, Card, Cost, check_name, existing_card, write_submission

SHOWN_ROWS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Estimate of a task's requests before any is sent."""

    prompts: tuple[Prompt, ...]
    """The first requests for three rows, or fewer."""
    calls: int
    """Requests of the first round that is not in the cache yet, at the full number of rows."""
    cached: int
    """Requests before it that are in the cache."""
    tokens_in: int
    """Tokens in of these calls, at four characters per token."""
    most_tokens_out: int
    """Tokens out of these calls if every answer is as long as it may be."""
    most_dollars: float | None
    """Price of these tokens; ``None`` where it is not known."""


class _Enough(Exception):  # noqa: N818 - no error: the prompts are known
    """The next request is not in the cache."""


@dataclass(slots=True)
class _Recorder:
    """A model that answers from the cache alone."""

    client: Client
    mode: Mode
    model: str
    cached: int = 0
    prompts: list[Prompt] = field(default_factory=list[Prompt])

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        """As ``LLM.ask``, up to the first request that is not there; ends with ``_Enough``."""
        taken = 0
        while taken < len(prompts):
            asked = [self.client.as_asked(prompt) for prompt in prompts[taken:]]
            taken += len(asked)
            replies = [self.client.cache.get(self.client.key(prompt)) for prompt in asked]
            self.prompts = [prompt for prompt, reply in zip(asked, replies, strict=True) if reply is None]
            if self.prompts:
                raise _Enough
            for reply in replies:
                self.cached += 1
                if reply is not None:
                    yield reply.answer(cached=True)


def estimate(baseline: Baseline, task: Task, request: Request, store: ExampleStore, means: Means) -> Estimate:
    """The first requests of a task.

    Raises:
        NotPreparedError: real examples are needed and not here.
        UserError: a tool is missing.
    """
    client = cast("Client", means.model)
    few = _record(baseline, task, request, store, means, min(SHOWN_ROWS, request.rows))
    full = _record(baseline, task, request, store, means, request.rows)
    tokens_in = sum(map(likely_tokens, full.prompts))
    tokens_out = sum(prompt.max_tokens for prompt in full.prompts)
    return Estimate(
        prompts=tuple(few.prompts[:SHOWN_ROWS]),
        calls=len(full.prompts),
        cached=full.cached,
        tokens_in=tokens_in,
        most_tokens_out=tokens_out,
        most_dollars=client.prices.cost(tokens_in, tokens_out, batch=client.settings.batch),
    )


def _record(
    baseline: Baseline, task: Task, request: Request, store: ExampleStore, means: Means, rows: int
) -> _Recorder:
    client = cast("Client", means.model)
    recorder = _Recorder(client, client.mode, client.model)
    view, _ = task_view(task, store, request.real_split)
    tally = Tally()
    tools = Tools(tally=tally, model=recorder, source=means.source, lists=means.lists, asking=means.asking)
    made = baseline.generate(view, tools, Budget(rows), rng_of(request.seed, task.spec))
    with suppress(_Enough):
        _take(made, tally, rows)
    return recorder


def _take(made: Iterator[Row], tally: Tally, rows: int) -> None:
    for row in made:
        tally.kept[class_of(row)] += 1
        if tally.kept.total() >= rows:
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to generate rows."""

    tasks: Sequence[Task]
    rows: int
    """At most so many rows per task."""
    out: Path
    """The submission's folder; its last part is the submission's name."""
    seed: int = 0
    real_split: RealSplit = "train"
    """Where reference rows are drawn from. dev only because there is no train split: it is disclosed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """Tools of a generator besides its task."""

    model: LLM | None = None
    source: Knowledge | None = None
    lists: Path | None = None
    """Folder of the lists that a model makes; ``lists`` in the submission's folder if not given."""
    send_restricted: bool = False
    """Whether few-shot examples of tasks that are not open may be sent to a server elsewhere."""
    asking: Asking = field(default_factory=Asking)


@dataclass(frozen=True, slots=True)
class Generated:
    """The outcome of a call."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    """Rows written, by task."""
    kept: dict[str, int] = field(default_factory=dict[str, int])
    """Tasks whose file was there already and was left alone, with its size in bytes."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Tasks that could not be done, with the reason."""
    records: dict[str, GenerationRecord] = field(default_factory=dict[str, GenerationRecord])
    """The outcome for each task that was tried."""


def generate(baseline: Baseline, request: Request, store: ExampleStore, means: Means | None = None) -> Generated:
    """Generate the tasks that are not in ``request.out`` yet; each task's file is written when it is done.

    A task that a limit of tokens or dollars cut short is done again when the limit is larger; its answers are in the
    cache.

    Raises:
        UserError: the folder holds another method's submission or cannot be one; a tool is missing; the server
            cannot be used; or nothing at all could be generated.
    """
    means = means or Means()
    out = request.out.absolute()
    check_name(out.name)
    if request.rows < 1:
        raise UserError(f"{request.rows} rows", expected="at least 1")
    _check_tools(baseline, means)
    card = card_of(baseline, out.name, store.kind, means.model)
    known_card = existing_card(out)
    _check_folder(out, card, known_card)
    done = Generated()
    run = _Run(baseline, request, store, means, card, done)
    with progress(f"{baseline.name}", len(request.tasks) * request.rows) as bar:
        for task in request.tasks:
            run.task(task, bar)
    if done.kept and done.kept.keys() & {path.stem for path in (out / FOLDER).glob("*.json")}:
        # A program that died may have written rows and not the card.
        write_submission(out, run.full_card(set()), {})
    if not done.rows and not done.kept:
        raise UserError(
            f"{baseline.name} could make nothing",
            found="; ".join(f"{task}: {reason}" for task, reason in done.skipped.items()),
        )
    return done


@dataclass(frozen=True, slots=True)
class _Run:
    baseline: Baseline
    request: Request
    store: ExampleStore
    means: Means
    card: Card
    done: Generated

    def task(self, task: Task, bar: Progress) -> None:
        """Do one task, or say why not."""
        name, out, rows = task.spec.name, self.request.out.absolute(), self.request.rows
        path = out / "data" / f"{name}.jsonl.gz"
        old = read_generation(out, name)
        client = self.means.model if isinstance(self.means.model, Client) else None
        if path.exists() and not (old and old.stopped == "limit" and client and _larger(client, old)):
            self.done.kept[name] = path.stat().st_size
            if client and old and old.cost:
                client.charge((old.cost.tokens_in or 0) + (old.cost.tokens_out or 0), old.cost.dollars)
            bar.advance(rows)
            return
        if reason := self._must_not_send(task):
            self.done.skipped[name] = reason
            bar.advance(rows)
            return
        lists = self.means.lists or out / "lists"
        tools = Tools(model=self.means.model, source=self.means.source, lists=lists, asking=self.means.asking)
        try:
            made = make(self.baseline, task, self.store, tools, (rows, self.request.seed, self.request.real_split), bar)
        except NotPreparedError as error:
            self.done.skipped[name] = str(error)
            bar.advance(rows)
            return
        self._write(task, made)
        record = self.done.records[name]
        bar.say(
            f"{name}: {record.kept:,} rows, {pace(record.kept, record.candidates, made.seconds or 1e-9, made.ledger)}"
        )

    def _must_not_send(self, task: Task) -> str:
        model, spec = self.means.model, task.spec
        remote = isinstance(model, Client) and not is_local(model.settings.base_url)
        shows = self.baseline.real_data != "none" and self.store.kind == "real" and spec.access != "open"
        if not (remote and shows) or self.means.send_restricted:
            return ""
        return (
            f"its few-shot examples are under {spec.access} access and the server is elsewhere: nothing was sent. "
            "If your agreement allows it, say --send-restricted"
        )

    def _write(self, task: Task, made: Made) -> None:
        """Record, rows, card: rows without a record are never there, and a record without rows is made anew."""
        name, out = task.spec.name, self.request.out.absolute()
        client = self.means.model if isinstance(self.means.model, Client) else None
        limits = _limits(client) if client else {}
        record = made.record(self.baseline, task, self.store.kind, self.request.seed, limits, self.means.source)
        self.done.records[name] = record
        write_generation(out, record)
        if not made.rows:
            self.done.skipped[name] = made.problem or _nothing(record)
            return
        private = must_stay_private(self.baseline, task.spec, self.store.kind)
        write_submission(out, self.full_card({name}), {name: made.rows}, private=private)
        self.done.rows[name] = len(made.rows)

    def full_card(self, new: set[str]) -> Card:
        """The card with what the records of all tasks say; ``new`` are tasks whose rows are about to be written."""
        out = self.request.out.absolute()
        card = existing_card(out)
        tasks = {path.name.split(".")[0] for path in (out / "data").glob("*.jsonl*")} | new
        records = [read_generation(out, path.stem) for path in sorted((out / FOLDER).glob("*.json"))]
        told = {record.task: record for record in records if record}
        own = tuple(f"{task}: " for task in told)
        kept = [line for line in (card.disclosures if card else ()) if not line.startswith(own)]
        here = [record for task, record in told.items() if task in tasks]
        lines = [*kept, *(line for record in here for line in disclosures_of(record, self.baseline))]
        # A task without a record was made by an older version: what it cost is not known.
        cost = total_cost(list(told.values())) if tasks <= told.keys() else Cost()
        llm = self.card.llm
        if llm is not None:
            llm = llm.model_copy(update={"snapshot": _snapshot(llm.name, list(told.values()))})
        return self.card.model_copy(update={"disclosures": tuple(sorted(set(lines))), "cost": cost, "llm": llm})


def _check_tools(baseline: Baseline, means: Means) -> None:
    tools = Tools(model=means.model, source=means.source)
    # Each property says what to do where its tool is missing.
    if "llm" in baseline.needs:
        _ = tools.llm
    if "knowledge" in baseline.needs:
        _ = tools.knowledge


def _check_folder(out: Path, card: Card, found: Card | None) -> None:
    same = found is not None and found.generator == card.generator
    if (out / CARD_FILE).exists() and not same:
        raise UserError(
            f"{out} holds another submission",
            found=found.generator if found else f"{CARD_FILE} is not filled in, or faulty",
            expected=card.generator,
            remedy="choose another --out",
        )
    models = [one.llm.name if one and one.llm else "none" for one in (found, card)]
    if found is not None and models[0] != models[1]:
        raise UserError(
            f"{out} holds rows of another model", found=models[0], expected=models[1], remedy="choose another --out"
        )


def _limits(client: Client) -> dict[str, float]:
    limits = {"tokens": client.settings.max_tokens, "dollars": client.settings.max_dollars}
    return {what: float(limit) for what, limit in limits.items() if limit is not None}


def _larger(client: Client, old: GenerationRecord) -> bool:
    """Whether a limit that ended a task is wider now, or gone."""
    limits = _limits(client)
    return any(limits.get(what, float("inf")) > limit for what, limit in old.limits.items())


def _snapshot(name: str, records: Sequence[GenerationRecord]) -> str:
    """The names by which the server called its model, where they say more than the one that was asked for."""
    reported = sorted({one for record in records if record.model for one in record.model.reported} - {"", name})
    return ", ".join(reported)


def _nothing(record: GenerationRecord) -> str:
    if not record.candidates:
        return "no row was made" + (f" before {_STOPS[record.stopped]}" if record.stopped in _STOPS else "")
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in record.dropped.items())
    return f"none of {record.candidates:,} candidates is a row: {reasons}"


_STOPS: dict[Literal["rows", "exhausted", "limit", "patience"], str] = {
    "limit": "the limit of tokens or dollars was reached",
    "patience": "patience ended",
}
