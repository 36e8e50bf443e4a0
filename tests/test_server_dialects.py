"""Each kind of server is asked in its own dialect, and what it refuses is left out from then on."""

import json
from dataclasses import replace

import pytest
from tests.clients import EXPECTED, SCHEMA, Open, echo, prompts, texts
from tests.gateways import REFUSING, THOUGHTS, azure, thinking
from tests.scripted_server import Asked, Fail, Reaction, Script, serve

from clinsynth.core.errors import UserError
from clinsynth.llm.requests import Prompt


@pytest.mark.parametrize(
    ("owner", "mode", "field"),
    [
        ("openai", "chat", "response_format"),
        ("vllm", "chat", "response_format"),
        ("vllm", "completion", "structured_outputs"),
        ("me", "chat", "response_format"),
        ("llamacpp", "completion", "grammar"),
        ("openai", "completion", ""),
    ],
)
def test_the_server_is_asked_for_its_own_kind_of_structure(owner: str, mode: str, field: str, connect: Open) -> None:
    with serve(echo, owner=owner) as server:
        client = connect(server, mode=mode)
        list(client.ask(prompts(2, schema=SCHEMA)))
    sent = {"response_format", "structured_outputs", "grammar"} & server.asked[0].body.keys()
    assert sent == ({field} if field else set())
    how = {"openai": "openai", "vllm": "vllm", "me": "llama", "llamacpp": "llama"}[owner] if field else "off"
    assert dict(client.ledger.structured) == {how: 2}


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_without_structure_is_asked_without_and_this_is_said(status: int, connect: Open) -> None:
    def plain(asked: Asked) -> Reaction:
        refused = Fail(status=status, message="unknown value in response_format")
        return refused if "response_format" in asked.body else echo(asked)

    with serve(plain) as server:
        client = connect(server, concurrency=8)
        assert texts(list(client.ask(prompts(20, schema=SCHEMA)))) == EXPECTED
        # Only the first request had to find out.
        assert len(server.asked) == 21
    assert dict(client.ledger.structured) == {"off": 20}
    assert "schema" in client.server.dialect.left_out


def test_parameters_that_a_model_does_not_take(connect: Open) -> None:
    def fussy(asked: Asked) -> Reaction:
        if "max_tokens" in asked.body:
            return Fail(status=400, message="Use another", code="unsupported_parameter", param="max_tokens")
        if "temperature" in asked.body:
            return Fail(status=400, message="Unsupported value: 'temperature' must be 1", code="unsupported_value")
        return echo(asked)

    with serve(fussy) as server:
        client = connect(server)
        assert texts(list(client.ask(prompts(5, max_tokens=9)))) == EXPECTED[:5]
        assert server.asked[-1].body["max_completion_tokens"] == 9
        assert len(server.asked) == 7
    assert client.server.dialect.left_out.keys() == {"max_tokens", "temperature"}


def test_structure_can_be_switched_off(connect: Open) -> None:
    with serve(echo) as server:
        client = connect(server, structured="off")
        list(client.ask(prompts(1, schema=SCHEMA)))
        assert "response_format" not in server.asked[0].body


FULL = Prompt(text="prompt 0", system="Be brief.", temperature=0.7, top_p=0.9, stop=("\n",), max_tokens=2_000)
"""A request with everything that a server may refuse."""


@pytest.mark.parametrize("name", REFUSING)
def test_known_servers_are_answered_in_their_own_dialect(name: str, connect: Open) -> None:
    script, left_out = REFUSING[name]
    with serve(script) as server:
        client = connect(server)
        lines: list[str] = []
        client.say = lines.append
        answers = list(client.ask([replace(FULL, text=f"prompt {k}") for k in range(8)]))
        assert texts(answers) == EXPECTED[:8]
        assert client.server.dialect.left_out == left_out
        # Only the first request had to find out, once for each.
        assert len(server.asked) == 8 + len(left_out)
        assert client.ledger.failed == 0
        assert len(lines) == len(left_out)
        assert all("(" in line and line.startswith("the server refuses") for line in lines), "in the server's words"
        # Another run knows.
        again = connect(server)
        list(again.ask([replace(FULL, text=f"prompt {k}") for k in range(8, 12)]))
        assert len(server.asked) == 12 + len(left_out)
        # Another model has to find out by itself.
        other = connect(server, model="other")
        list(other.ask([replace(FULL, text="prompt 0")]))
        assert len(server.asked) == 13 + 2 * len(left_out)


def test_a_system_message_that_is_refused_opens_the_users_text(connect: Open) -> None:
    with serve(REFUSING["gemma"][0]) as server:
        list(connect(server).ask([FULL]))
        assert server.asked[-1].body["messages"] == [{"role": "user", "content": "Be brief.\n\nprompt 0"}]


def test_a_model_that_thinks_first_wants_room(connect: Open) -> None:
    lines: list[str] = []
    with serve(thinking) as server:
        client = connect(server, concurrency=8)
        client.say = lines.append
        with pytest.raises(UserError, match=r"5 answers in a row(.|\n)*--answer-tokens"):
            list(client.ask(prompts(126, max_tokens=THOUGHTS)))
        assert server.answers == 5, "what is all thought is paid, and not asked on and on"
        again = connect(server)
        with pytest.raises(UserError, match="in a row"):
            list(again.ask(prompts(126, max_tokens=THOUGHTS)))
        assert server.answers == 5, "nor by another run"
        enough = connect(server, answer_tokens=4_000)
        assert texts(list(enough.ask(prompts(20, max_tokens=THOUGHTS)))) == EXPECTED
    assert any("--answer-tokens" in line for line in lines)
    assert json.loads(next(iter(enough.ledger.sent))) == {
        "max_completion_tokens": 4_000, "temperature": 1.0, "roles": ["user"], "seed": "of each request",
    }  # fmt: skip


def test_room_is_never_less_than_the_prompts_own(connect: Open) -> None:
    with serve(echo) as server:
        asked_for = [Prompt(text="a", max_tokens=32), Prompt(text="b", max_tokens=512)]
        list(connect(server, answer_tokens=100).ask(asked_for))
        assert sorted(asked.body["max_tokens"] for asked in server.asked) == [100, 512]


def test_further_fields_are_sent_recorded_and_part_of_the_key(connect: Open) -> None:
    with serve(echo) as server:
        plain = connect(server)
        more = connect(server, reasoning_effort="low", extra_body={"top_k": 5, "temperature": 0.3})
        for client in (plain, more):
            list(client.ask(prompts(1)))
        first, second = (asked.body for asked in server.asked)
        assert "top_p" not in first, "what is not set is not sent"
        assert (second["reasoning_effort"], second["top_k"], second["temperature"]) == ("low", 5, 0.3)
        assert {"reasoning_effort", "top_k"} <= json.loads(next(iter(more.ledger.sent))).keys()
    with pytest.raises(UserError, match="cannot set model"):
        connect(server, extra_body={"model": "x"})


def test_what_the_user_insists_on_stays(connect: Open) -> None:
    script: Script = lambda asked: (  # noqa: E731
        Fail(status=400, message='Unknown name "seed": Cannot find field.') if "seed" in asked.body else echo(asked)
    )
    with serve(script) as server:
        with pytest.raises(UserError, match=r"same words(.|\n)*Unknown name"):
            list(connect(server, extra_body={"seed": 7}).ask(prompts(20)))
        assert len(server.asked) == 5


def test_azures_dated_interface(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "azure-key")
    with serve(azure) as server:
        with pytest.raises(UserError, match="--api-version"):
            list(connect(server).ask(prompts(2)))
        client = connect(server, api_version="2024-10-21")
        assert texts(list(client.ask(prompts(2)))) == EXPECTED[:2]
