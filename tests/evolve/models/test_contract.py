"""What every model promises; each implementation inherits the same tests. HTTP clients talk to a real server."""

import asyncio
import json

import pytest

from benchmarks.loopback import LoopbackServer, Reply
from evolve.models.base import Message, ModelSetupError, Request, Stop, Usage
from evolve.models.files import MailboxModel, ReplayModel, ScriptedModel, recording
from evolve.models.remote import GeminiModel, OpenAIModel
from results.records import CallRecord


class ModelContract:
    def make(self, answers, tmp_path):
        """A model that gives answers[k - 1] to candidate k."""
        raise NotImplementedError

    @pytest.fixture
    def model(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GEMINI_API_KEY", "gm-secret")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        made = self.make(["first answer", "second … “Ωmega” 🎲\nwith lines"], tmp_path)
        yield made
        self.end()

    def end(self):
        pass

    def run(self, model, *requests):
        async def go():
            try:
                return await asyncio.gather(*(model.complete(r) for r in requests))
            finally:
                await model.close()

        return asyncio.run(go())

    def test_answers_come_with_their_costs(self, model, ask):
        (came,) = self.run(model, ask("candidate 1"))
        assert came.text == "first answer"
        assert came.stop is Stop.END
        assert came.usage.input_tokens > 0
        assert came.usage.output_tokens > 0
        assert came.latency_s >= 0
        assert came.model

    def test_text_arrives_as_it_was_written(self, model, ask):
        assert self.run(model, ask("candidate 2", ordinal=2))[0].text == "second … “Ωmega” 🎲\nwith lines"

    def test_several_requests_at_once(self, model, ask):
        came = self.run(model, ask("candidate 2", ordinal=2), ask("candidate 1"))
        assert [c.text.split()[0] for c in came] == ["second", "first"]

    def test_the_name_says_the_kind(self, model):
        assert ":" in model.name
        assert isinstance(model.free, bool)

    def test_the_name_holds_no_key(self, model):
        assert "secret" not in repr(vars(model).get("_model", "")) + model.name


class OverHttp(ModelContract):
    def make(self, answers, tmp_path):
        def answer(text, number):
            return Reply(answers[int(text.split()[-1]) - 1])

        self.server = LoopbackServer(answer)
        self.server.__enter__()
        return self.client(self.server.url)

    def end(self):
        self.server.__exit__()

    def test_all_messages_arrive_in_order(self, model):
        turns = (
            Message("system", "S"),
            Message("user", "U1"),
            Message("assistant", "A"),
            Message("user", "U2 1"),
        )
        self.run(model, Request(turns, max_output_tokens=77, temperature=0.5, ordinal=1))
        (received,) = self.server.received
        sent = json.dumps(received.body)
        places = [sent.index(f'"{part}"') for part in ("U1", "A", "U2 1")]
        assert places == sorted(places)
        assert '"S"' in sent
        assert "77" in sent
        assert "0.5" in sent


class TestOpenAIChat(OverHttp):
    def client(self, url):
        return OpenAIModel("m", base_url=f"{url}/v1", timeout_s=20)

    def test_the_server_is_asked_as_other_servers_want_it(self, model, ask):
        self.run(model, ask("candidate 1"))
        (received,) = self.server.received
        assert received.path == "/v1/chat/completions"
        assert received.body["max_tokens"] == 500
        assert "temperature" not in received.body


class TestOpenAIResponses(OverHttp):
    def client(self, url):
        return OpenAIModel("m", base_url=f"{url}/v1", api="responses", timeout_s=20)

    def test_nothing_is_stored_at_the_server(self, model, ask):
        self.run(model, ask("candidate 1"))
        (received,) = self.server.received
        assert received.path == "/v1/responses"
        assert received.body["store"] is False


class TestGemini(OverHttp):
    def client(self, url):
        return GeminiModel("m", base_url=url, timeout_s=20)

    def test_the_model_is_in_the_address(self, model, ask):
        self.run(model, ask("candidate 1"))
        assert self.server.received[0].path.endswith("/models/m:generateContent")


class TestMailbox(ModelContract):
    def make(self, answers, tmp_path):
        box = tmp_path / "box"
        self.model = MailboxModel(box, timeout_s=10, poll_s=0.01)
        self.answers, self.box = answers, box
        return self.model

    def run(self, model, *requests):
        async def person():
            for request in requests:
                while not (found := list(self.box.glob(f"{request.ordinal:05}-*.prompt.md"))):
                    await asyncio.sleep(0.005)
                assert "Write the answer to" in found[0].read_text()
                answer = found[0].with_name(found[0].name.replace(".prompt.", ".answer."))
                answer.write_text(self.answers[request.ordinal - 1], encoding="utf-8")

        async def go():
            *came, _ = await asyncio.gather(*(model.complete(r) for r in requests), person())
            return came

        return asyncio.run(go())


class TestScripted(ModelContract):
    def make(self, answers, tmp_path):
        (tmp_path / "answers.json").write_text(json.dumps([answers[0], [answers[1], "again"]]))
        return ScriptedModel(tmp_path / "answers.json")

    def test_attempts_have_answers_of_their_own(self, model, ask):
        assert self.run(model, ask(ordinal=2, attempt=1))[0].text == "again"

    def test_its_end_is_said(self, model, ask):
        with pytest.raises(ModelSetupError, match="no answer for candidate 3, attempt 0"):
            self.run(model, ask(ordinal=3))


class TestReplay(ModelContract):
    def make(self, answers, tmp_path):
        self.warned = []
        calls = [
            CallRecord(
                ordinal=k, attempt=0, state="answered", model="m", request_hash=f"hash {k}", answer=text,
                answered_by="m", input_tokens=5, output_tokens=6, cached_tokens=1, latency_s=0.5, stop="end",
            )
            for k, text in enumerate(answers, start=1)
        ]  # fmt: skip
        lost = CallRecord(ordinal=1, attempt=0, state="lost", model="m", request_hash="hash 1")
        (tmp_path / "calls.jsonl").write_text(recording({"campaign": "c"}, [lost, *calls]))
        return ReplayModel(tmp_path / "calls.jsonl", warn=self.warned.append)

    def test_a_differing_request_warns(self, model, ask):
        (came,) = self.run(model, ask())
        assert came.usage == Usage(5, 6, 1)
        assert "candidate 1, attempt 0, differs" in self.warned[0]

    def test_what_was_not_recorded_is_said(self, model, ask):
        with pytest.raises(ModelSetupError, match="no answer for candidate 9, attempt 0"):
            self.run(model, ask(ordinal=9))
