"""The client against a server that fails in every way: nothing lost, nothing paid twice, counts exact."""

import json
import sqlite3
import stat
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.clients import EXPECTED, Open, echo, prompts, texts
from tests.scripted_server import Asked, Die, Drip, Drop, Fail, Hang, Raw, Reaction, Say, Script, serve

from clinsynth.core.errors import UserError
from clinsynth.llm import Client, ClientSettings
from clinsynth.llm.cache import Cache, Reply, request_key
from clinsynth.llm.cost import UnknownPrices, find_prices, is_local
from clinsynth.llm.refusals import read_refusal
from clinsynth.llm.requests import Answer, BudgetSpentError, Prompt


@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_answers_come_in_the_order_of_the_prompts(mode: str, connect: Open) -> None:
    def late(asked: Asked) -> Reaction:
        return Say(text=f"answer to {asked.prompt}", after=0.02 * (3 - asked.number % 4))

    with serve(late) as server:
        client = connect(server, mode=mode, concurrency=4)
        answers = list(client.ask(prompts(20)))
        assert texts(answers) == EXPECTED
        assert 1 < server.most_at_once <= 4
        assert {asked.path for asked in server.asked} == {"/chat/completions" if mode == "chat" else "/completions"}
    assert (client.ledger.new, client.ledger.cached, client.ledger.failed) == (20, 0, 0)
    assert client.ledger.known_tokens == (200, 100)
    assert client.ledger.known_dollars == pytest.approx(20 * 20e-6)


def test_a_long_first_answer_does_not_hold_the_others(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinsynth.llm.server.FIRST_ALONE", 0.05)
    others = threading.Semaphore(0)

    def first_waits(asked: Asked) -> Reaction:
        if asked.number > 0:
            others.release()
        elif not all(others.acquire(timeout=60) for _ in range(3)):
            return Fail(status=500)
        return Say(text=f"answer to {asked.prompt}")

    with serve(first_waits) as server:
        client = connect(server, concurrency=4)
        assert texts(list(client.ask(prompts(4)))) == texts(list(client.ask(prompts(4))))
    assert (client.ledger.new, client.ledger.retries) == (4, {})


def test_the_request_says_all_that_the_prompt_says(connect: Open) -> None:
    prompt = Prompt(text="a", system="b", max_tokens=7, stop=("\n",), temperature=0.5, top_p=0.9)
    with serve(echo) as server:
        list(connect(server).ask([prompt]))
        list(connect(server, temperature=0.1).ask([prompt]))
    first, second = (asked.body for asked in server.asked)
    assert first["messages"] == [{"role": "system", "content": "b"}, {"role": "user", "content": "a"}]
    assert {key: first[key] for key in ("model", "max_tokens", "stop", "temperature", "top_p")} == {
        "model": "scripted", "max_tokens": 7, "stop": ["\n"], "temperature": 0.5, "top_p": 0.9,
    }  # fmt: skip
    assert second["temperature"] == 0.1


@pytest.mark.parametrize(
    ("reaction", "reason"),
    [
        (Fail(status=429), "429"),
        (Fail(status=429, headers={"Retry-After": "0"}), "429"),
        (Fail(status=500), "5xx"),
        (Fail(status=503), "5xx"),
        (Fail(status=408), "408"),
        (Drop(), "connection"),
        (Hang(5.0), "timeout"),
        (Raw(b'{"choices": [{"mess'), "malformed"),
        (Raw(b'{"choices": []}'), "malformed"),
        (Raw(b"[]"), "malformed"),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(reaction: Reaction, reason: str, connect: Open) -> None:
    # The very first request goes well: before that a lost connection is a wrong address.
    script: Script = lambda asked: echo(asked) if asked.attempt or asked.number == 0 else reaction  # noqa: E731
    with serve(script) as server:
        client = connect(server, concurrency=4, timeout=2.5 if reason == "timeout" else 5.0)
        answers = list(client.ask(prompts(8)))
        assert texts(answers) == EXPECTED[:8]
        assert len(server.asked) == 15
        assert server.answers == client.ledger.new == 8
    assert dict(client.ledger.retries) == {reason: 7}
    assert client.ledger.failed == 0


def test_retry_after_holds_for_everybody(connect: Open) -> None:
    times: list[float] = []

    def limited(asked: Asked) -> Reaction:
        import time

        times.append(time.monotonic())
        return Fail(status=429, headers={"Retry-After": "0.3"}) if len(times) == 2 else echo(asked)

    with serve(limited) as server:
        client = connect(server, concurrency=1)
        assert texts(list(client.ask(prompts(4)))) == EXPECTED[:4]
    assert times[2] - times[1] >= 0.3


def test_a_request_that_keeps_failing_is_counted_and_asked_again_next_time(connect: Open) -> None:
    def bad(asked: Asked) -> Reaction:
        return Fail(status=500) if asked.prompt == "prompt 3" else echo(asked)

    with serve(bad) as server:
        client = connect(server, attempts=3)
        answers = list(client.ask(prompts(6)))
        assert [answer.finish for answer in answers] == ["stop"] * 3 + ["failed"] + ["stop"] * 2
        assert (client.ledger.new, client.ledger.failed, client.ledger.retries["5xx"]) == (5, 1, 2)
        assert len(server.asked) == 8
        server.script = echo
        again = connect(server)
        assert texts(list(again.ask(prompts(6)))) == EXPECTED[:6]
        assert (again.ledger.new, again.ledger.cached) == (1, 5)
    assert server.answers == 6


def test_a_request_that_is_refused_is_not_repeated(connect: Open) -> None:
    def long(asked: Asked) -> Reaction:
        too_long = Fail(status=400, code="context_length_exceeded", message="maximum context length")
        return too_long if asked.prompt == "prompt 1" else echo(asked)

    with serve(long) as server:
        client = connect(server)
        assert [answer.finish for answer in client.ask(prompts(3))] == ["stop", "failed", "stop"]
        assert len(server.asked) == 3
    assert client.ledger.failed == 1


def test_what_the_server_withholds_is_no_failure(connect: Open) -> None:
    def censor(asked: Asked) -> Reaction:
        if asked.prompt == "prompt 0":
            return Fail(status=400, code="content_filter")
        return Say(text="", finish="content_filter") if asked.prompt == "prompt 1" else Say(text="x", finish="length")

    with serve(censor) as server:
        client = connect(server)
        assert [answer.finish for answer in client.ask(prompts(3))] == ["filtered", "filtered", "length"]
    assert (client.ledger.filtered, client.ledger.failed, client.ledger.unmeasured) == (2, 0, 1)
    # What the server did for the first one is not known, so neither is the sum.
    assert client.ledger.known_dollars is None


def test_tokens_that_are_not_told_are_unknown(connect: Open) -> None:
    with serve(lambda _: Say(text="x", tokens_in=None)) as server:
        client = connect(server)
        (answer,) = client.ask(prompts(1))
    assert (answer.tokens_in, client.ledger.known_tokens, client.ledger.known_dollars) == (None, None, None)


def test_nothing_is_paid_twice(connect: Open) -> None:
    with serve(echo) as server:
        list(connect(server).ask(prompts(5)))
        client = connect(server)
        answers = list(client.ask(prompts(8)))
        assert texts(answers) == EXPECTED[:8]
        assert [answer.cached for answer in answers] == [True] * 5 + [False] * 3
        assert server.answers == 8
    assert (client.ledger.new, client.ledger.cached, client.ledger.calls) == (3, 5, 8)
    # The data cost eight answers, this run three.
    assert client.ledger.known_dollars == pytest.approx(8 * 20e-6)
    assert client.ledger.known_new_dollars == pytest.approx(3 * 20e-6)


def test_what_is_cached_needs_no_server(connect: Open) -> None:
    with serve(echo) as server:
        list(connect(server).ask(prompts(5)))
        url = server.base_url
    client = connect(url)
    assert texts(list(client.ask(prompts(5)))) == EXPECTED[:5]


def test_repeats_are_draws_of_their_own_and_twins_are_not(connect: Open) -> None:
    with serve(echo) as server:
        client = connect(server)
        one = Prompt(text="prompt 0")
        list(client.ask([one, replace(one, repeat=1), one, replace(one, repeat=1)]))
        assert server.answers == 2
        assert len({asked.body["seed"] for asked in server.asked}) == 2
    assert (client.ledger.new, client.ledger.cached) == (2, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "b"}, {"system": "s"}, {"schema": {"type": "object"}}, {"max_tokens": 1}, {"stop": ("x",)},
        {"temperature": 0.0}, {"top_p": 0.5}, {"repeat": 1},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_field_of_a_prompt_is_in_its_key(change: dict[str, Any]) -> None:
    prompt = Prompt(text="a")
    changed = replace(prompt, **change)
    assert request_key(prompt, "chat", "m") == request_key(replace(prompt), "chat", "m")
    assert request_key(prompt, "chat", "m") != request_key(changed, "chat", "m")


def test_endpoint_and_model_are_in_the_key() -> None:
    prompt = Prompt(text="a \ud800")
    keys = {request_key(prompt, mode, model) for mode in ("chat", "completion") for model in ("m", "n")}
    assert len(keys) == 4


def test_the_cache_keeps_no_prompt_and_is_its_owners(connect: Open, tmp_path: Path) -> None:
    secret = "the patient of bed seven"  # noqa: S105 - it stands for restricted text
    with serve(lambda _: Say(text="x")) as server:
        list(connect(server).ask([Prompt(text=secret, system=secret)]))
    folder = tmp_path / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(secret.encode() not in path.read_bytes() for path in folder.iterdir())


def test_a_cache_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--cache"):
        Cache(tmp_path / "file")


def test_nobody_there(connect: Open) -> None:
    with serve(echo) as server:
        url = server.base_url
    with pytest.raises(UserError, match=r"nothing answers at http://127\.0\.0\.1"):
        list(connect(url).ask(prompts(3)))


def test_a_server_that_dies_halfway(connect: Open) -> None:
    with serve(lambda asked: Die() if asked.number == 9 else echo(asked)) as server:
        client = connect(server, concurrency=3)
        got: list[Answer] = []
        with pytest.raises(UserError, match="is gone"):
            got.extend(client.ask(prompts(20)))
        first = server.answers
        assert 7 <= first <= 11
    with serve(echo) as server:
        again = connect(server)
        assert texts(list(again.ask(prompts(20)))) == EXPECTED
        # All that was answered before the end was kept, and only the rest is asked.
        assert (again.ledger.cached, again.ledger.new) == (first, 20 - first)
        assert server.answers == 20 - first


def test_a_server_that_fails_everything_ends_the_run(connect: Open) -> None:
    with serve(lambda asked: echo(asked) if asked.number < 2 else Fail(status=500)) as server:
        client = connect(server, concurrency=2, attempts=2)
        with pytest.raises(UserError, match=r"fails every request: 5 in a row, the last with 5xx"):
            list(client.ask(prompts(20)))
    assert client.ledger.new == 2


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Fail(status=401, message="bad key"), "OPENAI_API_KEY"),
        (Fail(status=403), "ask for access"),
        (Fail(status=404, message="no such model"), "mend --model"),
        (Fail(status=429, code="insufficient_quota"), "no credit"),
    ],
    ids=["401", "403", "404", "quota"],
)
def test_what_concerns_every_request_ends_the_run(failure: Fail, said: str, connect: Open) -> None:
    with serve(lambda _: failure) as server:
        with pytest.raises(UserError, match=said):
            list(connect(server).ask(prompts(20)))
        assert len(server.asked) == 1


def test_openai_wants_a_key(connect: Open) -> None:
    with pytest.raises(UserError, match="set OPENAI_API_KEY"):
        list(connect("https://api.openai.com/v1").ask(prompts(1)))


def test_the_key_goes_to_the_server_and_nowhere_else(
    connect: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with serve(lambda _: Fail(status=401)) as server:
        with pytest.raises(UserError) as error:
            list(connect(server).ask(prompts(1)))
        assert server.asked[0].key == "Bearer sk-very-secret"
    assert "very-secret" not in str(error.value)


def test_closing_early_keeps_what_is_in_flight(connect: Open) -> None:
    with serve(lambda _: Say(text="x", after=0.05)) as server:
        client = connect(server, concurrency=4)
        answers = client.ask(prompts(20))
        next(answers)
        assert isinstance(answers, Generator)
        answers.close()
        assert server.answers == client.ledger.new < 20
    with serve(echo) as server:
        again = connect(server)
        list(again.ask(prompts(20)))
        assert again.ledger.cached == client.ledger.new
        assert server.answers + client.ledger.new == 20


@pytest.mark.parametrize("concurrency", [1, 3, 16])
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_a_limit_ends_at_the_same_request_however_it_is_asked(concurrency: int, batch: bool, connect: Open) -> None:
    with serve(echo) as server:
        client = connect(server, concurrency=concurrency, max_tokens=200, batch=batch)
        got: list[Answer] = []
        with pytest.raises(BudgetSpentError, match="200 tokens"):
            got.extend(client.ask(prompts(20, max_tokens=6)))
        # A prompt may be 35 tokens and its answer 6; it turns out to be 15.
        assert len(got) == server.answers == (200 - 41) // 15 + 1
        assert client.spent_tokens == 15 * len(got) <= 200
        larger = connect(server, max_tokens=100_000)
        assert texts(list(larger.ask(prompts(20, max_tokens=6)))) == EXPECTED
        assert larger.ledger.cached == len(got)
    assert server.answers == 20


def test_a_limit_of_dollars(connect: Open) -> None:
    with serve(echo) as server:
        client = connect(server, max_dollars=100e-6)
        got: list[Answer] = []
        with pytest.raises(BudgetSpentError, match="dollars"):
            got.extend(client.ask(prompts(20, max_tokens=6)))
        assert len(got) == 3  # the fourth might cost 47 millionths of the 40 that are left
        client.charge(0, 1.0)
        with pytest.raises(BudgetSpentError):
            list(client.ask(prompts(1)))


def test_dollars_of_an_unknown_price_cannot_be_limited(cache: Cache) -> None:
    settings = ClientSettings(model="mine", base_url="http://localhost:1/v1", max_dollars=1.0)
    with pytest.raises(UserError, match="--price-in"):
        Client(settings, cache, UnknownPrices())


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"concurrency": 0}, "at a time"), ({"base_url": "localhost"}, "no address"), ({"max_tokens": -1}, "a limit of")],
    ids=["concurrency", "address", "limit"],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str, connect: Open) -> None:
    with pytest.raises(UserError, match=said):
        connect("http://localhost:1/v1", **settings)


def test_refusals_that_say_the_same_end_the_run_in_the_servers_words(connect: Open) -> None:
    lines: list[str] = []
    said = "maximum context length is 512 tokens, you asked for "
    with serve(lambda asked: Fail(status=400, message=f"{said}{600 + asked.number}")) as server:
        client = connect(server, concurrency=8)
        client.say = lines.append
        with pytest.raises(UserError, match=r"5 in a row(.|\n)*maximum context length"):
            list(client.ask(prompts(50)))
        assert len(server.asked) == 5
    assert len([line for line in lines if said in line]) == 1, "shown once, whatever number it names"


def test_refusals_between_answers_end_nothing(connect: Open) -> None:
    script: Script = lambda asked: Fail(status=400, message="too long") if asked.number % 2 else echo(asked)  # noqa: E731
    with serve(script) as server:
        answers = list(connect(server, concurrency=1).ask(prompts(40)))
    assert [answer.finish for answer in answers] == ["stop", "failed"] * 20


def test_words_of_the_prompt_are_no_objection(connect: Open) -> None:
    text = "Her temperature and top_p cannot both be specified; the seed is unknown."

    def quoting(asked: Asked) -> Reaction:
        return Fail(status=400, message=f"invalid input: {text}")

    with serve(quoting) as server:
        client = connect(server)
        assert [answer.finish for answer in client.ask([Prompt(text=text, top_p=0.5)])] == ["failed"]
        assert client.server.dialect.left_out == {}


@pytest.mark.parametrize(
    ("reaction", "reason"), [(Drip(0.05), "timeout"), (Drip(0.0, b"x" * 2**20), "oversized")], ids=["slow", "endless"]
)
def test_an_answer_without_an_end_is_given_up(reaction: Reaction, reason: str, connect: Open) -> None:
    lines: list[str] = []
    with serve(lambda asked: reaction if asked.prompt == "prompt 1" else echo(asked)) as server:
        client = connect(server, timeout=1.0 if reason == "timeout" else 60.0, attempts=2)
        client.say = lines.append
        answers = list(client.ask(prompts(3)))
        assert [answer.finish for answer in answers] == ["stop", "failed", "stop"]
    if reason == "timeout":
        assert client.ledger.retries == {"timeout": 1}
        assert len([line for line in lines if "--timeout" in line]) == 1
    else:
        assert any("the response has more than" in line for line in lines)


def valid(usage: Any, text: Any = "fine") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": usage, "model": "m"}).encode()


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        (Raw(valid({"prompt_tokens": 3, "completion_tokens": 4}), "text/html; charset=utf-8"), (3, 4)),
        (Raw(b"\xef\xbb\xbf" + valid({"prompt_tokens": 3, "completion_tokens": 4})), (3, 4)),
        (Raw(valid("many")), (None, None)),
        (Raw(valid([1, 2])), (None, None)),
        (Raw(valid({"prompt_tokens": "3", "completion_tokens": True})), (None, None)),
        (Raw(valid({"prompt_tokens": -3, "completion_tokens": 4.0})), (None, 4)),
        (Raw(valid({"prompt_tokens": 10**30, "completion_tokens": 1e300})), (10_000_000, 10_000_000)),
        (Raw(valid({"prompt_tokens": 1, "completion_tokens": 2}).replace(b": 1,", b": " + b"9" * 5_000 + b",")),
         (10_000_000, 2)),
        (Raw(valid({"prompt_tokens": 3, "completion_tokens": 4}, [{"type": "text", "text": "fi"}, {"text": "ne"}])),
         (3, 4)),
        (Raw(valid({"prompt_tokens": 3, "completion_tokens": 4}, "<think>\nhm\n</think>\n\nfine")), (3, 4)),
    ],
    ids=["type", "mark", "text", "list", "kinds", "negative", "huge", "digits", "parts", "thought"],
)  # fmt: skip
def test_an_answer_that_was_paid_is_not_thrown_away(
    content: Raw, counts: tuple[int | None, int | None], connect: Open
) -> None:
    with serve(lambda _: content) as server:
        (answer,) = connect(server).ask(prompts(1))
        assert (answer.text, answer.tokens_in, answer.tokens_out) == ("fine", *counts)
        assert len(server.asked) == 1
        (again,) = connect(server).ask(prompts(1))
        assert (again.text, again.cached) == ("fine", True)


def test_json_that_is_too_deep_is_no_answer(connect: Open) -> None:
    with serve(lambda _: Raw(b"[" * 200_000)) as server:
        (answer,) = connect(server, attempts=2).ask(prompts(1))
    assert answer.finish == "failed"


def test_a_damaged_answer_is_asked_for_again(connect: Open, cache: Cache, tmp_path: Path) -> None:
    lines: list[str] = []
    with serve(echo) as server:
        list(connect(server).ask(prompts(3)))
        with sqlite3.connect(tmp_path / "cache" / "answers.sqlite") as db:
            db.execute("UPDATE replies SET text = 'made up' WHERE text LIKE '%prompt 1'")
        db.close()
        client = connect(server)
        client.say = lines.append
        assert texts(list(client.ask(prompts(3)))) == EXPECTED[:3]
        assert server.answers == 4
    assert lines == ["1 answers in the cache were damaged, and were asked for again"]


def test_a_refusal_is_not_remembered_for_ever(connect: Open, cache: Cache, tmp_path: Path) -> None:
    cache.remember("http://x/v1", "m", "chat", {"seed": "not sent"})
    assert cache.recall("http://x/v1", "m", "chat") == {"seed": "not sent"}
    assert cache.recall("http://x/v1", "m", "completion") == {}
    with sqlite3.connect(tmp_path / "cache" / "answers.sqlite") as db:
        db.execute("UPDATE dialects SET day = '2020-01-01'")
    db.close()
    assert cache.recall("http://x/v1", "m", "chat") == {}


def test_a_list_of_prompts_may_grow_while_it_is_answered(connect: Open) -> None:
    with serve(echo) as server:
        for batch in (False, True):
            growing = prompts(3)
            client = connect(server, batch=batch, model=f"m{batch}")
            got: list[str] = []
            for answer in client.ask(growing):
                got.append(answer.text)
                if len(growing) < 10:
                    growing.append(Prompt(text=f"prompt {len(growing)}"))
            assert got == EXPECTED[:10]


def test_a_slow_answer_holds_nobody_up(connect: Open) -> None:
    done = threading.Event()

    def slow(asked: Asked) -> Reaction:
        if asked.prompt == "prompt 1":
            # It comes only when all the others are there.
            assert done.wait(60)
        elif len(server.asked) >= 20:
            done.set()
        return echo(asked)

    with serve(slow) as server:
        client = connect(server, concurrency=2, timeout=60.0)
        assert texts(list(client.ask(prompts(20)))) == EXPECTED


def test_prices_of_the_table() -> None:
    pytest.importorskip("genai_prices", reason="genai-prices is not installed")
    known = find_prices("gpt-4o-mini", "https://api.openai.com/v1", None, None)
    assert known.cost(1_000_000, 1_000_000, batch=False) == pytest.approx(0.75)
    assert known.cost(1_000_000, 1_000_000, batch=True) == pytest.approx(0.375)
    assert known.source.startswith("genai-prices")
    assert known.looked_up is not None


@pytest.mark.parametrize(
    ("model", "url"),
    [("gpt-4o-mini", "http://localhost:8000/v1"), ("no-such-model", "https://api.openai.com/v1")],
    ids=["own-server", "unknown-model"],
)
def test_an_unknown_price_is_not_zero(model: str, url: str) -> None:
    assert find_prices(model, url, None, None).cost(10, 10, batch=False) is None


def test_stated_prices() -> None:
    stated = find_prices("mine", "http://localhost/v1", 1.0, 4.0)
    assert stated.cost(1_000_000, 500_000, batch=False) == pytest.approx(3.0)
    assert stated.cost(1_000_000, 500_000, batch=True) == pytest.approx(1.5)
    with pytest.raises(UserError, match="both"):
        find_prices("mine", "http://localhost/v1", 1.0, None)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True), ("http://127.0.0.1/v1", True), ("http://10.1.2.3:80/v1", True),
        ("http://gpu07:8000/v1", True), ("http://[::1]/v1", True), ("https://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)  # fmt: skip
def test_what_is_elsewhere(url: str, local: bool) -> None:
    assert is_local(url) == local


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ({"retry-after": "3"}, 3.0), ({"retry-after-ms": "250"}, 0.25), ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0), ({}, None),
    ],
    ids=str,
)  # fmt: skip
def test_retry_after_is_read(header: dict[str, str], wait: float | None) -> None:
    assert read_refusal(429, {"error": {"message": "slow down"}}, header).wait == wait


def test_a_reply_survives_the_cache(cache: Cache) -> None:
    reply = Reply(
        text="ä \ud83d", finish="length", tokens_in=None, tokens_out=3, model="m", structured="vllm", batch=True,
        seconds=1.5,
    )  # fmt: skip
    cache.put("k", reply)
    assert cache.get("k") == replace(reply, text="ä ?")
    cache.put("k", replace(reply, text="another"))
    assert cache.get("k") == replace(reply, text="ä ?")
    assert cache.missing(["a", "k", "a", "b"]) == ["a", "b"]
    json.dumps(reply.answer(cached=True).text)
