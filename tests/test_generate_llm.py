"""Baselines that ask a model: what becomes of good and bad answers, of limits, of interruptions; records and cards."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from tests.gateways import THOUGHTS, claude, gemini, gemma, thinking
from tests.scripted_server import Asked, Die, Fail, Reaction, Say, Script, ScriptedServer, serve

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Row, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore
from clinsynth.generation import Generated, Means, Request, generate
from clinsynth.generation.baseline import BASELINES, Baseline, Budget, TaskView, Tools
from clinsynth.generation.knowledge import open_knowledge
from clinsynth.generation.loop import Duplicates
from clinsynth.generation.record import GenerationRecord, read_generation, record_path, total_cost
from clinsynth.llm import Client, ClientSettings
from clinsynth.llm.cache import Cache
from clinsynth.llm.cost import StatedPrices
from clinsynth.llm.requests import Answer, Mode, Prompt
from clinsynth.submissions import read_submission, validate

GAD = TASKS["gad"]
SAMPLE = SampleStore()
PRICES = StatedPrices(1.0, 2.0, None)
WORDS = [
    "asthma",
    "cardiac",
    "renal",
    "hepatic",
    "lung",
    "bone",
    "skin",
    "nerve",
    "blood",
    "muscle",
    "thyroid",
    "retina",
    "colon",
    "kidney",
    "spleen",
    "pancreas",
    "tonsil",
    "uterus",
    "ovary",
    "bladder",
]


class AsIfReal(SampleStore):
    """The sample under the name of real data."""

    kind: Literal["real", "sample"] = "real"


def asking(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Asks for what is missing, a round at a time, and reads JSON."""
    number = 0
    while (missing := budget.rows - tools.tally.kept.total()) > 0:
        prompts = [Prompt(text=f"row {number + k}", max_tokens=6) for k in range(missing)]
        number += missing
        for answer in tools.llm.ask(prompts):
            if answer.finish != "stop":
                tools.tally.drop(answer.finish)
                continue
            try:
                row = json.loads(answer.text)
            except ValueError:
                tools.tally.drop("not-json")
            else:
                yield row


ASKING = Baseline(
    name="asking", title="Asking", description="asks", real_data="none", generate=asking, needs=frozenset({"llm"})
)


def row_of(asked: Asked) -> Reaction:
    """A row that is like no other."""
    number = int(asked.prompt.split()[1])
    text = f"@GENE$ {WORDS[number % 20]} {WORDS[number // 20 % 20]} {WORDS[number * 7 % 20]} @DISEASE$ {number}"
    return Say(text=json.dumps({"text": text, "label": GAD.spec.labels[number % 2]}))


Connect = Callable[..., Client]


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """``connect(server, **settings)``: a client with the test's own cache."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    cache, made = Cache(tmp_path / "cache"), list[Client]()

    def open_client(server: ScriptedServer | str, **settings: Any) -> Client:
        url = server if isinstance(server, str) else server.base_url
        own = ClientSettings(model="scripted", base_url=url, backoff=0.001, poll=0.001, timeout=5.0)
        made.append(Client(replace(own, **settings), cache, PRICES))
        return made[-1]

    yield open_client
    for client in made:
        client.close()
    cache.close()


def run(client: Client, out: Path, rows: int = 20, tasks: Sequence[Task] = (GAD,), **changes: Any) -> Generated:
    baseline = replace(ASKING, **changes)
    return generate(baseline, Request(tasks=tasks, rows=rows, out=out), SAMPLE, Means(model=client))


def rows_of(out: Path, task: str = "gad") -> list[Any]:
    return [(example.texts, example.labels) for example in read_submission(out).rows(task)]


def record_of(out: Path, task: str = "gad") -> GenerationRecord:
    record = read_generation(out, task)
    assert record is not None
    assert record.seal == record.expected_seal()
    assert record.candidates == record.kept + sum(record.dropped.values())
    return record


def test_a_whole_run(connect: Connect, tmp_path: Path) -> None:
    out = tmp_path / "made"
    with serve(row_of) as server:
        done = run(connect(server), out)
        assert server.answers == 20
    assert done.rows == {"gad": 20}
    assert validate(out).exit_code == 0
    record, card = record_of(out), read_submission(out).card
    assert (record.asked, record.kept, record.candidates, record.rate, record.stopped) == (20, 20, 20, 1.0, "rows")
    assert record.kept_by_class == {"no_relation": 10, "relation": 10}
    assert record.cost is not None
    assert (record.cost.calls, record.cost.new, record.cost.cached, record.cost.failed) == (20, 20, 0, 0)
    assert (record.cost.tokens_in, record.cost.tokens_out) == (200, 100)
    assert record.cost.dollars == pytest.approx(400e-6)
    assert record.model is not None
    assert record.model.reported == {"scripted-2026-01-01": 20}
    assert card.llm is not None
    assert (card.llm.name, card.llm.snapshot) == ("scripted", "scripted-2026-01-01")
    assert (card.cost.calls, card.cost.tokens_in, card.cost.dollars) == (20, 200, pytest.approx(400e-6))
    assert card.cost.price_source == "stated by the user"
    assert card.disclosures == ()


def test_records_hold_no_text_and_no_address(connect: Connect, tmp_path: Path) -> None:
    with serve(row_of) as server:
        url = server.base_url.replace("http://", "http://user:secret@")
        run(connect(url), tmp_path / "made")
        port = server.base_url.split(":")[2].split("/")[0]
    text = record_path(tmp_path / "made", "gad").read_text() + (tmp_path / "made" / "submission.toml").read_text()
    for word in ("secret", f":{port}", "127.0.0.1", "row 1", "asthma"):
        assert word not in text


@pytest.mark.parametrize("gateway", [claude, gemini, gemma, thinking], ids=lambda one: one.__name__)
def test_todays_servers_give_rows_and_the_record_says_what_they_took(
    gateway: Script, connect: Connect, tmp_path: Path
) -> None:
    def script(asked: Asked) -> Reaction:
        refused = gateway(asked)
        if not isinstance(refused, Say) or refused.finish != "stop":
            return refused
        words = np.random.default_rng(len(server.asked)).choice(WORDS, 12)
        return Say(text=json.dumps({"text": f"@GENE$ {' '.join(words)} @DISEASE$."}))

    out = tmp_path / "made"
    with serve(script) as server:
        client = connect(server, answer_tokens=2 * THOUGHTS)
        generate(BASELINES["naive"], Request(tasks=[GAD], rows=12, out=out), SAMPLE, Means(model=client))
    record = record_of(out)
    assert record.model is not None
    assert record.kept == 12
    assert sum(sent.answers for sent in record.model.sent) == record.cost.calls if record.cost else 0
    for sent in record.model.sent:
        assert sent.request.keys() <= server.asked[-1].body.keys() | {"roles"}
        assert 2 * THOUGHTS in (sent.request.get("max_tokens"), sent.request.get("max_completion_tokens"))


def test_prompts_of_a_task_that_is_not_open_are_shown_with_a_flag_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def as_if_real(folder: Path | None, sample: bool) -> AsIfReal:
        return AsIfReal()

    monkeypatch.setattr("clinsynth.cli.generate.open_store", as_if_real)
    line = f"generate demo --tasks mednli,mqp --rows 3 --model m --cache {tmp_path}/c --out {tmp_path}/o --dry-run"
    secret = AsIfReal().examples(TASKS["mednli"], "train")[0].texts[0]
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "mednli: prompts are not shown" in out
    assert "mqp, request 1" in out
    assert secret not in out
    assert main([*line.split(), "--show-restricted"]) == 0
    assert "mednli, request 1" in capsys.readouterr().out


BAD: dict[str, tuple[Reaction, str]] = {
    "malformed": (Say(text='{"text": "@GENE$ '), "not-json"),
    "code": (Say(text="__import__('os').system('true')"), "not-json"),
    "truncated": (Say(text='{"text": "@GE', finish="length"), "length"),
    "withheld": (Say(text="", finish="content_filter"), "filtered"),
    "refusal": (Say(text="As an AI language model, I cannot do that."), "not-json"),
    "a list": (Say(text="[1, 2]"), "not-an-object"),
    "a number": (Say(text="7"), "not-an-object"),
    "no marker": (Say(text='{"text": "no names", "label": "relation"}'), "missing-marker"),
    "no label": (Say(text='{"text": "@GENE$ @DISEASE$"}'), "missing-key"),
    "duplicate": (Say(text='{"text": "@GENE$ @DISEASE$ always the same", "label": "relation"}'), "duplicate"),
    "given up": (Fail(status=500), "failed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_row_is_dropped_and_counted(kind: str, connect: Connect, tmp_path: Path) -> None:
    reaction, reason = BAD[kind]

    def sometimes(asked: Asked) -> Reaction:
        return reaction if int(asked.prompt.split()[1]) % 4 == 3 else row_of(asked)

    out = tmp_path / "made"
    with serve(sometimes) as server:
        run(connect(server, attempts=2), out, rows=12)
        answers = server.answers
    record = record_of(out)
    # 12 are asked for, three of them bad; then the 3 that are missing. The first of duplicates is a row.
    dropped = 2 if kind == "duplicate" else 3
    assert record.dropped == {reason: dropped}
    assert (record.kept, record.stopped) == (12, "rows")
    assert record.cost is not None
    assert record.cost.new == answers
    assert record.cost.failed == (dropped if kind == "given up" else 0)
    assert validate(out).exit_code == 0
    failures = [line for line in read_submission(out).card.disclosures if "failed" in line]
    assert len(failures) == (kind == "given up")


def test_a_low_yield_is_said_loudly(connect: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def mostly_bad(asked: Asked) -> Reaction:
        return row_of(asked) if int(asked.prompt.split()[1]) % 3 == 0 else Say(text="no")

    with serve(mostly_bad) as server:
        run(connect(server), tmp_path / "made", rows=10)
    record = record_of(tmp_path / "made")
    assert record.low
    (line,) = read_submission(tmp_path / "made").card.disclosures
    assert line.startswith("gad: low yield, 3")


class Parrot:
    """A model that always says the same."""

    mode: Mode = "chat"
    model = "parrot"

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        for _ in prompts:
            self.asked += 1
            yield Answer(text='{"text": "@GENE$ and @DISEASE$ again", "label": "relation"}', finish="stop")


def test_a_model_that_repeats_itself_comes_to_an_end(tmp_path: Path) -> None:
    parrot, out = Parrot(), tmp_path / "made"
    request = Request(tasks=[GAD], rows=3, out=out)
    done = generate(ASKING, request, SAMPLE, Means(model=parrot))
    assert done.rows == {"gad": 1}
    record = record_of(out)
    assert record.stopped == "patience"
    assert record.dropped == {"duplicate": 5 * 3 + 1_000 - 1}
    assert parrot.asked <= 5 * 3 + 1_000 + 2
    assert any("nothing new came" in line for line in read_submission(out).card.disclosures)


def test_a_model_that_says_nothing_useful_comes_to_an_end(tmp_path: Path) -> None:
    parrot = Parrot()
    parrot.ask = lambda prompts: iter([Answer(text="", finish="stop") for _ in prompts])
    with pytest.raises(UserError, match=r"none of 1,0\d\d candidates is a row: not-json 1,0\d\d"):
        generate(ASKING, Request(tasks=[GAD], rows=3, out=tmp_path / "made"), SAMPLE, Means(model=parrot))


def test_a_server_that_dies_halfway_loses_nothing(connect: Connect, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole" / "made", tmp_path / "made"
    with serve(row_of) as server:
        run(connect(server, model="whole"), whole, rows=30)
    with serve(lambda asked: Die() if asked.number == 17 else row_of(asked)) as server:
        with pytest.raises(UserError, match="is gone"):
            run(connect(server), out, rows=30)
        before = server.answers
    assert not (out / "data").exists()
    with serve(row_of) as server:
        run(connect(server), out, rows=30)
        assert before + server.answers == 30
    assert rows_of(out) == rows_of(whole)
    cost = record_of(out).cost
    assert cost is not None
    assert (cost.cached, cost.new) == (before, 30 - before)
    assert cost.dollars == pytest.approx(30 * 20e-6)
    # How long the first half took is not known any more.
    assert read_submission(out).card.cost.seconds is None


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_a_limit_keeps_what_was_made_and_a_larger_one_goes_on(batch: bool, connect: Connect, tmp_path: Path) -> None:
    out = tmp_path / "made"
    with serve(row_of) as server:
        run(connect(server, max_tokens=200, batch=batch), out)
        made, answers = rows_of(out), server.answers
        record = record_of(out)
        assert (record.stopped, record.kept, record.limits) == ("limit", len(made), {"tokens": 200.0})
        assert len(made) == answers == 11
        (line,) = read_submission(out).card.disclosures
        assert line == "gad: 11 of 20 rows; a limit of tokens or dollars ended it."
        # The same limit, or a smaller one: nothing to do.
        for limit in (200, 100):
            assert run(connect(server, max_tokens=limit), out).kept.keys() == {"gad"}
        assert server.answers == answers
        run(connect(server), out)
        assert server.answers == 20
    assert rows_of(out)[:11] == made
    assert (record_of(out).kept, record_of(out).stopped) == (20, "rows")
    assert read_submission(out).card.disclosures == ()


def test_a_limit_is_for_all_tasks_together(connect: Connect, tmp_path: Path) -> None:
    cdr = TASKS["cdr"]
    out = tmp_path / "made"

    with serve(row_of) as server:
        # 20 rows are 300 tokens, and the next may be 41.
        done = run(connect(server, max_tokens=335), out, tasks=[GAD, cdr])
        assert done.rows == {"gad": 20}
        assert done.skipped == {"cdr": "no row was made before the limit of tokens or dollars was reached"}
        # What a task in the folder cost counts as well.
        again = connect(server, max_tokens=335)
        assert run(again, out, tasks=[GAD]).kept.keys() == {"gad"}
        with pytest.raises(UserError, match="before the limit"):
            run(again, tmp_path / "none", tasks=[cdr])
        assert server.answers == 20


def test_ctrl_c_keeps_the_answers(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
        for number, row in enumerate(asking(view, tools, budget, rng)):
            yield row
            if number == 4:
                signal.raise_signal(signal.SIGINT)

    with serve(row_of) as server:
        line = (
            f"generate asking --tasks gad --rows 20 --sample --model scripted --base-url {server.base_url} "
            f"--cache {tmp_path / 'cache'} --out {tmp_path / 'made'} --concurrency 2"
        )
        monkeypatch.setattr(BASELINES, "_items", {"asking": replace(ASKING, generate=interrupted)})
        assert main(line.split()) == 130
        assert "goes on from there" in capsys.readouterr().err
        before = server.answers
        assert 5 <= before < 20
        assert not (tmp_path / "made").exists()
        monkeypatch.setattr(BASELINES, "_items", {"asking": ASKING})
        assert main(line.split()) == 0
        assert server.answers == 20
    said = capsys.readouterr()
    assert f"20 calls ({before} cached, 0 failed), 200 tokens in, 100 out, price unknown" in said.out


def test_a_killed_run_pays_nothing_twice(tmp_path: Path) -> None:
    def novel(asked: Asked) -> Reaction:
        # The seed of a request is its own, in every run the same.
        words = np.random.default_rng(asked.body["seed"]).choice(WORDS, 12)
        return Say(text=json.dumps({"text": f"@GENE$ {' '.join(words)} @DISEASE$."}), after=0.02)

    with serve(novel) as server:
        line = (
            f"generate naive --tasks gad --rows 60 --sample --model scripted --base-url {server.base_url} "
            f"--cache {tmp_path / 'cache'} --out {tmp_path / 'made'} --concurrency 4"
        )
        process = subprocess.Popen([sys.executable, "-m", "clinsynth", *line.split()])  # noqa: S603 - our own
        while server.answers < 20 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        killed_at = server.answers
        assert 20 <= killed_at < 60
        assert main(line.split()) == 0
        cost, record = record_of(tmp_path / "made").cost, record_of(tmp_path / "made")
        assert cost is not None
        assert record.kept == 60
        # What was in flight when it died was answered to nobody: at most one request for each of the four.
        assert killed_at - cost.cached in range(5)
        assert cost.new + killed_at == server.answers


def test_the_command_says_what_was_dropped_and_why_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BASELINES, "_items", {"asking": ASKING})

    def mostly_bad(asked: Asked) -> Reaction:
        return row_of(asked) if int(asked.prompt.split()[1]) % 3 == 0 else Say(text="no")

    with serve(mostly_bad) as server:
        line = (
            f"generate asking --tasks gad --rows 30 --sample --model scripted --base-url {server.base_url} --cache "
            f"{tmp_path / 'cache'} --out {tmp_path / 'made'} --max-tokens 300 --price-in 1 --price-out 2"
        )
        assert main(line.split()) == 0
    out, err = capsys.readouterr()
    assert "gad: dropped: not-json 12" in out
    assert "$0.0004 ($0.0004 now)" in out
    assert "the limit of 300 tokens ended it with 6 of 30 rows" in err
    assert "LOW YIELD: only 33 % of 18 candidates" in err


def test_a_dry_run_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BASELINES, "_items", {"asking": ASKING})
    with serve(row_of) as server:
        line = (
            f"generate asking --tasks gad,mqp --rows 100 --sample --model scripted --base-url {server.base_url} "
            f"--cache {tmp_path / 'cache'} --out {tmp_path / 'made'} --price-in 1 --price-out 2"
        )
        assert main([*line.split(), "--dry-run"]) == 0
        assert server.asked == []
        out = capsys.readouterr().out
        assert [f"row {k}\n" in out for k in range(4)] == [True, True, True, False]
        assert "gad: 100 calls in the first round" in out
        assert "first rounds of 2 tasks: 200 calls, at most $0.0028" in out
        assert not (tmp_path / "made").exists()
        # What is there already costs nothing any more.
        assert main([*line.replace("gad,mqp", "gad").split()]) == 0
        capsys.readouterr()
        assert main([*line.replace("gad,mqp", "gad").replace("100", "150").split(), "--dry-run"]) == 0
        assert "gad: 50 calls in the first round" in capsys.readouterr().out


def test_a_model_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(BASELINES, "_items", {"asking": ASKING})
    assert main(["generate", "asking", "--sample", "--out", str(tmp_path / "made")]) == 2
    assert "--model" in capsys.readouterr().err
    with pytest.raises(UserError, match="needs a language model"):
        generate(ASKING, Request(tasks=[GAD], rows=1, out=tmp_path / "made"), SAMPLE)


def test_another_models_folder_is_refused(connect: Connect, tmp_path: Path) -> None:
    with serve(row_of) as server:
        run(connect(server), tmp_path / "made", rows=2)
        with pytest.raises(UserError, match="rows of another model"):
            run(connect(server, model="other"), tmp_path / "made", rows=2, tasks=[TASKS["mqp"]])


def few_shot(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Shows real examples; asks for one row that it then gives in the form of the task."""
    shown = view.few_shot()
    answers = tools.llm.ask([Prompt(text=f"row {k}") for k in range(budget.rows)])
    for number, _ in enumerate(answers):
        yield {"premise": f"The patient has {WORDS[number]}.", "hypothesis": f"It is {WORDS[-number]}.",
               "label": shown[0].labels[0]}  # fmt: skip


FEW = {"generate": few_shot, "real_data": "few-shot"}


def test_restricted_examples_are_not_sent_elsewhere(connect: Connect, tmp_path: Path) -> None:
    mednli, request = TASKS["mednli"], Request(tasks=[TASKS["mednli"]], rows=3, out=tmp_path / "made")
    baseline = replace(ASKING, **FEW)
    with pytest.raises(UserError, match=r"mednli(.|\n)*nothing was sent(.|\n)*--send-restricted"):
        generate(baseline, request, AsIfReal(), Means(model=connect("https://api.example.org/v1")))
    with serve(row_of) as server:
        generate(baseline, request, AsIfReal(), Means(model=connect(server)))
    assert read_submission(tmp_path / "made").tasks == (mednli.spec.name,)
    # The model may have repeated what it was shown.
    assert (tmp_path / "made" / "data" / ".gitignore").exists()


def test_what_a_model_made_of_open_examples_may_be_published(connect: Connect, tmp_path: Path) -> None:
    def same(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
        view.few_shot()
        yield from asking(view, tools, budget, rng)

    baseline = replace(ASKING, generate=same, real_data="few-shot")
    with serve(row_of) as server:
        generate(
            baseline, Request(tasks=[GAD], rows=3, out=tmp_path / "made"), AsIfReal(), Means(model=connect(server))
        )
    assert not (tmp_path / "made" / "data" / ".gitignore").exists()
    card = read_submission(tmp_path / "made").card
    assert card.real_data.used == "few-shot"
    assert card.licence == "Apache-2.0, as far as the terms of scripted and of the sources in the disclosures allow"


@pytest.mark.parametrize("name", sorted(name for name, one in BASELINES.items() if "llm" in one.needs))
@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_no_baseline_falls_for_a_model_that_refuses(name: str, mode: Mode, connect: Connect, tmp_path: Path) -> None:
    refusal: Script = lambda _: Say(text="As an AI language model, I cannot help with that.")  # noqa: E731
    with serve(refusal) as server:
        client = connect(server, mode=mode)
        means = Means(model=client, source=open_knowledge("builtin"))
        with pytest.raises(UserError, match="could make nothing"):
            generate(BASELINES[name], Request(tasks=[GAD], rows=2, out=tmp_path / "made"), SAMPLE, means)
        record = record_of(tmp_path / "made")
        assert record.kept == 0
        assert record.cost is not None
        assert record.cost.new == server.answers
        assert record.cost.failed == 0


def test_duplicates_are_told_by_what_they_say() -> None:
    known = Duplicates()
    long = "The patient was treated with lisinopril for high blood pressure and went home after three days on the ward."
    assert known.find([long]) is None
    assert known.find([long.upper().replace(" ", "  ") + " !"]) == "duplicate"
    assert known.find([long.replace("days", "day")]) == "near-duplicate"
    assert known.find([long.replace("lisinopril", "enalapril")]) is None
    assert known.find([long.replace("lisinopril for high blood pressure", "insulin because of diabetes")]) is None
    assert known.find(["°°"]) is None
    assert known.find(["°°"]) == "duplicate"


def test_a_pair_repeats_another_only_if_both_texts_do() -> None:
    known = Duplicates()
    premise = "A long premise about a patient who was seen in the clinic for a cough that had lasted three weeks. " * 3
    assert known.find([premise, "He coughs."]) is None
    assert known.find([premise, "He is well."]) is None
    assert known.find(["He coughs.", premise]) is None
    assert known.find([premise, "He  coughs!"]) == "duplicate"
    assert known.find([premise.replace("three", "four", 1), "He coughs."]) == "near-duplicate"


def test_a_sum_with_an_unknown_part_is_unknown(connect: Connect, tmp_path: Path) -> None:
    with serve(row_of) as server:
        run(connect(server), tmp_path / "made", rows=4)
    record = record_of(tmp_path / "made")
    assert record.cost is not None
    unpriced = record.model_copy(update={"cost": record.cost.model_copy(update={"dollars": None, "tokens_in": None})})
    both = total_cost([record, unpriced])
    assert (both.calls, both.tokens_in, both.tokens_out, both.dollars, both.price_source) == (8, None, 40, None, None)
    assert total_cost([record, record.model_copy(update={"cost": None})]).calls is None
    assert total_cost([]).calls is None


def test_a_record_that_is_none_is_told(tmp_path: Path) -> None:
    path = record_path(tmp_path, "gad")
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(UserError, match="is not the record of a generation"):
        read_generation(tmp_path, "gad")
    assert read_generation(tmp_path, "mqp") is None


def test_answers_of_a_task_are_of_its_class_counts(connect: Connect, tmp_path: Path) -> None:
    with serve(row_of) as server:
        run(connect(server), tmp_path / "made", rows=7)
    assert Counter(label for _, (label,) in rows_of(tmp_path / "made")) == record_of(tmp_path / "made").kept_by_class
