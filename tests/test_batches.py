"""The Batch API: one batch a round, at half the price, taken up again after whatever ends it."""

import pytest
from tests.clients import EXPECTED, Open, echo, prompts, texts
from tests.scripted_server import Asked, Fail, Reaction, serve

from clinsynth.core.errors import UserError
from clinsynth.llm.cache import Cache, PendingBatch


class TestBatches:
    """The Batch API."""

    def test_a_round_is_one_batch_at_half_the_price(self, connect: Open) -> None:
        with serve(echo) as server:
            client = connect(server, batch=True)
            assert texts(list(client.ask(prompts(20)))) == EXPECTED
            # The first request went by itself, to see that all is well.
            assert server.batch.lines == [19]
            assert server.answers == 20
        assert (client.ledger.new, client.ledger.batched) == (20, 19)
        assert client.ledger.known_dollars == pytest.approx((1 + 19 / 2) * 20e-6)

    @pytest.mark.parametrize("status", ["expired", "cancelled"])
    def test_only_what_is_missing_is_handed_in_again(self, status: str, connect: Open) -> None:
        with serve(echo) as server:
            server.batch.ends = [(status, 7), (status, 0)]
            assert texts(list(connect(server, batch=True).ask(prompts(20)))) == EXPECTED
            assert server.batch.lines == [19, 12, 12]
            assert server.answers == 20

    def test_errors_of_single_lines(self, connect: Open) -> None:
        def some(asked: Asked) -> Reaction:
            if asked.prompt == "prompt 5" and asked.attempt == 0:
                return Fail(status=500)
            return Fail(status=400) if asked.prompt == "prompt 7" else echo(asked)

        with serve(some) as server:
            client = connect(server, batch=True)
            answers = list(client.ask(prompts(10)))
            assert [answer.finish for answer in answers] == ["stop"] * 7 + ["failed"] + ["stop"] * 2
            assert server.batch.lines == [9, 1]
        assert (client.ledger.new, client.ledger.failed) == (9, 1)

    def test_a_batch_that_was_handed_in_is_found_again(self, connect: Open, cache: Cache) -> None:
        with serve(echo) as server:
            server.batch.looks = 10**9
            client = connect(server, batch=True)

            def stop(line: str) -> None:
                if "in_progress" in line:
                    raise KeyboardInterrupt

            client.say = stop
            with pytest.raises(KeyboardInterrupt):
                list(client.ask(prompts(20)))
            assert [len(pending.keys) for pending in cache.pending(f"{server.base_url} chat")] == [19]
            server.batch.looks = 0
            assert texts(list(connect(server, batch=True).ask(prompts(20)))) == EXPECTED
            assert server.batch.lines == [19]
            assert server.answers == 20
            assert not cache.pending(f"{server.base_url} chat")

    def test_a_batch_whose_id_was_not_saved_is_found_again(self, connect: Open, cache: Cache) -> None:
        with serve(echo) as server:
            noted = cache.note_batch

            def die(server: str, pending: PendingBatch) -> None:
                if pending.batch:
                    raise KeyboardInterrupt
                noted(server, pending)

            cache.note_batch = die
            with pytest.raises(KeyboardInterrupt):
                list(connect(server, batch=True).ask(prompts(20)))
            cache.note_batch = noted
            assert texts(list(connect(server, batch=True).ask(prompts(20)))) == EXPECTED
            assert (server.batch.lines, server.answers) == ([19], 20)

    def test_a_batch_that_is_refused(self, connect: Open, cache: Cache) -> None:
        with serve(echo) as server:
            server.batch.ends = [("failed", 0)]
            with pytest.raises(UserError, match=r"was refused(.|\n)*as scripted"):
                list(connect(server, batch=True).ask(prompts(20)))
            assert not cache.pending(f"{server.base_url} chat")

    def test_a_wrong_key_shows_at_once(self, connect: Open) -> None:
        with serve(lambda _: Fail(status=401)) as server:
            with pytest.raises(UserError, match="OPENAI_API_KEY"):
                list(connect(server, batch=True).ask(prompts(20)))
            assert server.batch.lines == []
