"""The direct track: whole runs through lm-eval against a scripted server."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.asking import Ask, always, model_at, needs_lm_eval
from tests.gateways import gemini, newest, thinking
from tests.oracle import SAMPLE, oracle, spec_of
from tests.scripted_server import Asked, Die, Drip, Fail, Raw, Reaction, Say, Script, serve

from clinsynth.cli import main
from clinsynth.core.errors import UserError
from clinsynth.core.nouns import Split, Task
from clinsynth.core.registry import TASKS
from clinsynth.data.samples import SampleStore, few_shot
from clinsynth.direct import prompts
from clinsynth.direct.lm_eval_task import write_folder
from clinsynth.direct.records import DirectRecord, DirectResults
from clinsynth.direct.runner import Request, estimate, run, subset
from clinsynth.direct.session import Model
from clinsynth.direct.verification import validate_direct, verify_direct
from clinsynth.llm.cost import StatedPrices

ONE_OF_EACH_TYPE = ("hoc", "gad", "mediqa-rqe", "healthver", "mqp", "ncbi-disease", "casi")


def records(tmp_path: Path) -> dict[str, DirectRecord]:
    return {f"{r.task}/{r.shots}": r for r in DirectResults(tmp_path / "out", "sample").records()}


@needs_lm_eval
@pytest.mark.parametrize("mode", ["chat", "completion"])
@pytest.mark.parametrize("shots", [0, 2])
def test_all_seven_types_through_lm_eval(ask: Ask, tmp_path: Path, mode: str, shots: int) -> None:
    with serve(oracle()) as server:
        outcome = ask(server, *ONE_OF_EACH_TYPE, mode=mode, shots=shots, limit=6)
        assert len(server.asked) == 6 * len(ONE_OF_EACH_TYPE)
    for name, record in outcome.records.items():
        assert record.answers == {"read": 6}, name
        assert record.score == pytest.approx(1.0), name
        assert (record.mode, record.shots, record.limit) == (mode, shots, 6)
        drawn = few_shot(SAMPLE, TASKS[name], shots).examples if shots else ()
        assert (record.demonstrations.examples if record.demonstrations else 0) == len(drawn)
        assert (record.usage.tokens_in, record.usage.tokens_out, record.usage.dollars) == (60, 30, None)
        assert record.reported == ("scripted-2026-01-01",)
    report = validate_direct(tmp_path / "out")
    assert report.exit_code == 0
    assert report.counts == {"preliminary": len(ONE_OF_EACH_TYPE)}
    assert verify_direct(tmp_path / "out", SAMPLE).findings == ()
    for asked in server.asked:
        assert asked.body["temperature"] == 0
        one_label = mode == "completion" and asked.prompt.endswith(f'\n{prompts.ANSWER} "')
        assert asked.body["stop"] == (["<|endoftext|>"] if mode == "chat" else ["\n", '"'] if one_label else ["\n"])


@needs_lm_eval
def test_refusals_truncation_filters_and_cost_are_counted(ask: Ask, tmp_path: Path) -> None:
    def script(asked: Asked) -> Reaction:
        return (
            Say(text="relation"),
            Say(text="I'm sorry, I can't help with that."),
            Say(text="The relation between the two is", finish="length"),
            Say(text="", finish="content_filter"),
            Fail(status=400, message="this prompt is too long"),
            Say(text="no_relation", tokens_out=7),
        )[asked.number % 6]

    prices = StatedPrices(1.0, 10.0, None)
    with serve(script) as server:
        record = ask(server, "gad", mode="chat", limit=12, prices=prices).records["gad"]
        assert len(server.asked) == 12, "a request that the server does not take is not repeated"
    assert record.answers == {"read": 4, "refusal": 2, "rejected": 2, "truncated": 2, "withheld": 2}
    assert record.finish == {"filtered": 2, "length": 2, "rejected": 2, "stop": 6}
    assert (record.usage.answers, record.usage.tokens_in, record.usage.tokens_out) == (10, 100, 54)
    assert record.usage.dollars == pytest.approx((100 * 1 + 54 * 10) / 1e6)
    stored, digest = DirectResults(tmp_path / "out", "sample").read_predictions(record)
    assert digest == record.predictions_sha256
    assert [each.position for each in stored] == subset(record.test.examples, 12)
    assert sum(bool(each.unparsable) for each in stored) == 8
    gold = SAMPLE.examples(TASKS["gad"], "test")
    for each in stored:
        if each.unparsable:
            assert each.prediction.labels != gold[each.position].labels


@needs_lm_eval
@pytest.mark.parametrize("name", ["gpt-5-mini", "qwen2.5-1.5b"])
def test_the_record_says_what_was_sent(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval itself sends temperature 1 to any name with a 5 in it."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serve(oracle()) as server:
        args = {"base_url": f"{server.base_url}/chat/completions", "model": name}
        model = Model(
            backend="openai-chat-completions", args=args, name=name, mode="chat", cache=tmp_path / "cache",
            extra_body={"top_k": 1}, reasoning_effort="low",
        )  # fmt: skip
        request = Request(tasks=[TASKS["gad"]], model=model, out=tmp_path / "out", limit=3)
        record = run(request, SAMPLE).records["gad"]
        bodies = [asked.body for asked in server.asked]
    assert {(body["temperature"], body["top_k"], body["reasoning_effort"]) for body in bodies} == {(0, 1, "low")}
    assert record.temperature == 0
    (sent,) = record.sent
    assert sent.answers == 3
    assert sent.request["temperature"] == 0
    assert sent.request["max_completion_tokens"] == 32
    assert record.seal == record.expected_seal()


@needs_lm_eval
@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize(("script", "name"), [(gemini, "seed"), (newest, "temperature")], ids=["gemini", "newest"])
def test_refusals_are_adapted_to(script: Script, name: str, concurrent: int, ask: Ask, tmp_path: Path) -> None:
    told: list[str] = []

    def obliging(asked: Asked) -> Reaction:
        refused = script(asked)
        return refused if isinstance(refused, Fail) else Say(text="relation")

    with serve(obliging) as server:
        args = {"num_concurrent": concurrent}
        record = ask(server, "gad", mode="chat", limit=6, args=args, say=told.append).records["gad"]
        first = len(server.asked)
        assert 6 < first <= 6 + concurrent
        ask(server, "mqp", mode="chat", limit=6, args=args)
        assert len(server.asked) == first + 6, "it is known by now"
    assert record.answers == {"read": 6}
    assert all(name not in sent.request for sent in record.sent)
    assert record.temperature == (None if name == "temperature" else 0.0)
    assert len(told) == 1
    assert told[0].startswith(f"the server refuses {name}: not sent")


@needs_lm_eval
@pytest.mark.parametrize("concurrent", [1, 4])
def test_a_model_that_thinks_first_is_not_asked_on_and_on(concurrent: int, ask: Ask, tmp_path: Path) -> None:
    args = {"num_concurrent": concurrent}
    with serve(thinking) as server:
        # Its temperature is fixed as well.
        with pytest.raises(UserError, match=r"cut before their text began(.|\n)*--answer-tokens"):
            ask(server, "gad", mode="chat", args=args)
        assert server.answers < 5 + concurrent
        assert records(tmp_path) == {}

        def obliging(asked: Asked) -> Reaction:
            found = thinking(asked)
            return Say(text="relation") if isinstance(found, Say) and found.finish == "stop" else found

        server.script = obliging
        record = ask(server, "gad", mode="chat", limit=4, max_tokens=4_000, args=args).records["gad"]
    assert (record.answers, record.max_tokens, record.temperature) == ({"read": 4}, 4_000, None)


@needs_lm_eval
def test_a_score_of_cut_answers_is_not_stored(ask: Ask, tmp_path: Path) -> None:
    def some(asked: Asked) -> Reaction:
        cut = asked.number % 10 < 3
        return Say(text="Well, the relation", finish="length") if cut else Say(text="relation")

    with serve(some) as server:
        with pytest.raises(UserError, match=r"6 of 20 answers were cut at 32 tokens(.|\n)*--answer-tokens"):
            ask(server, "gad", mode="chat", limit=20)
        assert records(tmp_path) == {}
        server.script = always(Say(text="relation"))
        outcome = ask(server, "gad", "mqp", mode="chat", limit=20, max_tokens=64)
    assert set(outcome.records) == {"gad", "mqp"}


@needs_lm_eval
@pytest.mark.parametrize("concurrent", [1, 4])
def test_what_was_paid_is_not_asked_for_again_and_nothing_is_waited_for_without_end(
    concurrent: int, ask: Ask, tmp_path: Path
) -> None:
    choice = {"message": {"role": "assistant", "content": [{"type": "text", "text": "relation"}]}}
    odd = Raw(json.dumps({"choices": [choice], "usage": ["many"]}).encode(), "text/plain")

    def script(asked: Asked) -> Reaction:
        return odd if asked.number % 2 else Say(text="relation", tokens_out=10**30)

    with serve(script) as server:
        record = ask(server, "gad", mode="chat", limit=4, args={"num_concurrent": concurrent}).records["gad"]
        assert len(server.asked) == 4
        assert (record.answers, record.usage.unmeasured) == ({"read": 4}, 2)
        server.script = always(Drip(0.05))
        with pytest.raises(UserError, match="stopped answering"):
            ask(server, "mqp", mode="chat", limit=2, args={"num_concurrent": concurrent, "timeout": 1})


@needs_lm_eval
def test_nothing_is_asked_twice_and_a_dead_server_loses_nothing(ask: Ask, tmp_path: Path) -> None:
    gone = [True]
    script = oracle()

    def dies(asked: Asked) -> Reaction:
        return Die() if gone[0] and asked.number >= 5 else script(asked)

    with serve(dies) as server:
        with pytest.raises(UserError, match="stopped answering"):
            ask(server, "mqp", limit=10)
        address = server.base_url
    assert records(tmp_path) == {}
    with serve(script) as server:
        # Another address is another model, unless it is said to be the same.
        where = {"base_url": f"{address}/completions"}
        with pytest.raises(UserError, match="stopped answering"):
            ask(server, "mqp", limit=10, args=where)
        assert server.answers == 0
    meta = next((tmp_path / "cache" / "direct").glob("*.meta.jsonl"))
    assert len(meta.read_text().splitlines()) == 5


@needs_lm_eval
def test_a_run_that_was_stopped_goes_on(ask: Ask) -> None:
    script = oracle()

    def once(asked: Asked) -> Reaction:
        return Fail(status=503) if asked.number == 5 else script(asked)

    with serve(once) as server:
        with pytest.raises(UserError, match="stopped answering"):
            ask(server, "mqp", limit=10)
        record = ask(server, "mqp", limit=10).records["mqp"]
        assert len(server.asked) == 11
        assert record.usage.tokens_in == 100, "answers of the run that was stopped are part of the cost"
        again = ask(server, "mqp", limit=10)
        assert again.kept == ("mqp",)
        larger = ask(server, "mqp", limit=12).records["mqp"]
        assert len(server.asked) == 13, "a larger subset asks for what is new"
    assert (record.score, larger.score) == (1.0, 1.0)


@needs_lm_eval
def test_a_server_that_takes_nothing_leaves_no_record(ask: Ask, tmp_path: Path) -> None:
    with (
        serve(lambda _: Fail(status=400, message="no such model")) as server,
        pytest.raises(UserError, match="not one"),
    ):
        ask(server, "gad", limit=4)
    assert records(tmp_path) == {}


@needs_lm_eval
@pytest.mark.parametrize(
    "reaction", [Die(), Raw(b"[]"), Raw(b'{"choices": 3}'), Fail(status=500)], ids=["dies", "list", "odd", "500"]
)
@pytest.mark.parametrize("at_once", [1, 3])
def test_whatever_the_server_does_is_told_in_words(ask: Ask, tmp_path: Path, reaction: Reaction, at_once: int) -> None:
    with serve(lambda _: reaction) as server, pytest.raises(UserError, match="stopped answering"):
        ask(server, "gad", limit=6, args={"num_concurrent": at_once})
    assert records(tmp_path) == {}


@needs_lm_eval
def test_malformed_answers_of_the_server_stop_the_run(ask: Ask) -> None:
    with serve(lambda _: Raw(b"<html>busy</html>")) as server, pytest.raises(UserError, match="stopped answering"):
        ask(server, "gad", limit=2)


@needs_lm_eval
def test_unknown_tokens_and_prices_stay_unknown(ask: Ask) -> None:
    script = oracle()

    def silent(asked: Asked) -> Reaction:
        said = script(asked)
        return Say(text=said.text, tokens_in=None) if isinstance(said, Say) and asked.number == 1 else said

    with serve(silent) as server:
        used = ask(server, "mqp", limit=4, prices=StatedPrices(1.0, 1.0, None)).records["mqp"].usage
    assert (used.answers, used.unmeasured) == (4, 1)
    assert (used.tokens_in, used.tokens_out, used.dollars) == (None, None, None)


@needs_lm_eval
def test_many_requests_at_a_time_give_the_same_record(ask: Ask) -> None:
    def by_text(asked: Asked) -> Reaction:
        return Say(text="similar" if len(asked.prompt) % 2 else "nonsense", tokens_in=len(asked.prompt))

    with serve(by_text) as server:
        one = ask(server, "mqp", limit=8).records["mqp"]
    with serve(by_text) as server:
        many = ask(server, "mqp", limit=8, args={"num_concurrent": 4}, shots=0, max_tokens=33).records["mqp"]
    same = ("answers", "finish", "prompts_sha256", "scores", "predictions_sha256", "usage")
    assert [getattr(one, name) for name in same] == [getattr(many, name) for name in same]


@needs_lm_eval
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_rejected_request_is_asked_again_by_another_run(ask: Ask, tmp_path: Path, at_once: int) -> None:
    long = [True]

    def script(asked: Asked) -> Reaction:
        return Fail(status=400) if long[0] and len(asked.prompt) % 3 == 0 else Say(text="similar")

    args = {"num_concurrent": at_once}
    with serve(script) as server:
        record = ask(server, "mqp", limit=12, args=args).records["mqp"]
        rejected = record.answers["rejected"]
        assert (len(server.asked), record.answers["read"]) == (12, 12 - rejected)
        long[0] = False
        DirectResults(tmp_path / "out", "sample").record_path(record.cell).unlink()
        assert ask(server, "mqp", limit=12, args=args).records["mqp"].answers == {"read": 12}
        assert len(server.asked) == 12 + rejected


@needs_lm_eval
def test_credentialed_text_is_not_sent_elsewhere(tmp_path: Path) -> None:
    class AsIfReal(SampleStore):
        kind: Literal["real", "sample"] = "real"

    model = Model(backend="openai-chat-completions", args={"model": "gpt-x"}, name="gpt-x", mode="chat", cache=tmp_path)
    request = Request(tasks=[TASKS["mednli"]], model=model, out=tmp_path / "out")
    with pytest.raises(UserError, match="data use agreement"):
        run(request, AsIfReal())


@needs_lm_eval
def test_without_examples_to_show_there_are_no_shots(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    class TestOnly(SampleStore):
        def rows(self, task: Task) -> dict[Split, int]:
            return {"test": super().rows(task)["test"]} if task.spec.name == "gad" else super().rows(task)

    lm_task: Any = importlib.import_module("clinsynth.direct.lm_eval_task")

    def test_only(folder: Path | None, sample: bool) -> TestOnly:
        return TestOnly()

    monkeypatch.setattr(lm_task, "open_store", test_only)
    with serve(oracle()) as server:
        outcome = ask(server, "gad", "mqp", shots=1, limit=2, store=TestOnly())
    assert set(outcome.records) == {"mqp"}
    assert "neither its train nor its dev split" in outcome.skipped["gad"]


@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_a_dry_run_says_what_would_be_asked_and_its_cost(tmp_path: Path, mode: Any) -> None:
    model = Model(backend="local-completions", args={}, name="scripted-1", mode=mode)
    tasks = [TASKS[name] for name in ("gad", "hoc")]
    prices = StatedPrices(1.0, 2.0, None)
    wanted = Request(tasks=tasks, model=model, out=tmp_path / "out", shots=1, limit=5, prices=prices)
    gad, hoc = estimate(wanted, SAMPLE)
    assert (gad.calls, gad.most_tokens_out, hoc.most_tokens_out) == (5, 5 * 32, 5 * 128)
    assert gad.most_dollars == pytest.approx((gad.tokens_in + 2 * gad.most_tokens_out) / 1e6)
    assert prompts.instructions(spec_of("gad")) in gad.prompt
    assert not (tmp_path / "out").exists()


@needs_lm_eval
def test_a_dry_run_tells_the_prompts_that_are_sent(ask: Ask, tmp_path: Path) -> None:
    with serve(oracle()) as server:
        model = model_at(server, "completion", tmp_path / "cache")
        wanted = Request(tasks=[TASKS["gad"], TASKS["mqp"]], model=model, out=tmp_path / "out", shots=1, limit=4)
        gad, mqp = estimate(wanted, SAMPLE)
        ask(server, "gad", shots=1, limit=4)
        # The longest is sent first, whichever that is.
        assert gad.prompt in [each.prompt for each in server.asked]
        again, _ = estimate(wanted, SAMPLE)
    assert (again.calls, again.skipped) == (0, "stored before")
    assert mqp.calls == 4


def test_the_command_prints_the_cost_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["direct", "--model", "openai-chat-completions", "--name", "gpt-4o-mini", "--tasks", "gad,mqp", "--sample"]
    assert main([*words, "--dry-run", "--price-in", "1", "--price-out", "1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].endswith("Nothing was sent.")
    assert re.search(r"^all +88 +[\d,]+ +2,816 +0\.\d\d$", out, re.MULTILINE)
    assert not list(tmp_path.iterdir())


@needs_lm_eval
def test_a_folder_holds_one_model(ask: Ask, tmp_path: Path) -> None:
    with serve(oracle()) as server:
        ask(server, "gad", limit=2)
        with pytest.raises(UserError, match="another model"):
            ask(server, "gad", limit=2, mode="chat")


@needs_lm_eval
def test_lm_eval_alone_gives_the_same_numbers(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINSYNTH_CACHE", str(tmp_path / "cache"))
    folder = write_folder(None, sample=True)
    tasks = ("hoc", "ncbi-disease", "mqp")
    with serve(oracle(wrong_every=3)) as server:
        own = ask(server, *tasks, shots=1).records
    with serve(oracle(wrong_every=3)) as server:
        command = [
            sys.executable, "-m", "lm_eval", "--include_path", str(folder), "--num_fewshot", "1",
            "--tasks", ",".join(f"clinsynth_{task.replace('-', '_')}" for task in tasks),
            "--model", "local-completions", "--output_path", str(tmp_path / "results.json"), "--model_args",
            f"base_url={server.base_url}/completions,model=scripted-1,tokenizer_backend=None",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr[-2000:]
    written = next(tmp_path.glob("results*.json"))
    results = json.loads(written.read_text())["results"]
    for task in tasks:
        found = results[f"clinsynth_{task.replace('-', '_')}"]
        for metric, score in own[task].scores.items():
            assert found[f"{metric},none"] == pytest.approx(score, abs=1e-12), (task, metric)
        assert found["unparsable,none"] == pytest.approx(own[task].unparsable / own[task].test.examples)
    assert any(0 < record.score < 1 for record in own.values())
