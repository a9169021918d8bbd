"""A mailbox survives restarts, slow writers and silence."""

import asyncio
import os

import pytest

from evolve.models.base import Message, ModelSetupError, ModelUnavailable, Request
from evolve.models.files import MailboxModel


def stem(request):
    return f"{request.ordinal:05}-{request.attempt}-{request.hash[:10]}"


def test_a_prompt_can_be_read_by_a_person(tmp_path, ask):
    request = ask("Improve this.")
    with pytest.raises(ModelUnavailable):
        asyncio.run(MailboxModel(tmp_path, timeout_s=0.01, poll_s=0.01).complete(request))
    text = (tmp_path / f"{stem(request)}.prompt.md").read_text()
    assert text.startswith(f"<!-- Write the answer to {stem(request)}.answer.md in this directory. -->")
    assert "# system\n\nYou write programs." in text
    assert text.endswith("# user\n\nImprove this.\n")


def test_silence_ends_politely_and_the_answer_is_found_later(tmp_path, ask):
    request = ask()
    with pytest.raises(ModelUnavailable, match="no answer within") as caught:
        asyncio.run(MailboxModel(tmp_path, timeout_s=0.02, poll_s=0.01).complete(request))
    assert "same command continues" in caught.value.hint
    (tmp_path / f"{stem(request)}.answer.md").write_text("meanwhile")
    came = asyncio.run(MailboxModel(tmp_path, timeout_s=5, poll_s=0.01).complete(request))
    assert came.text == "meanwhile"
    assert sorted(p.suffixes[0] for p in tmp_path.iterdir()) == [".answer", ".prompt"]


def test_a_slow_writer_is_not_cut_off(tmp_path, ask):
    request = ask()

    async def go():
        async def person():
            await asyncio.sleep(0.05)
            with (tmp_path / f"{stem(request)}.answer.md").open("w") as file:
                for part in ("one ", "two ", "three"):
                    file.write(part)
                    file.flush()
                    await asyncio.sleep(0.04)

        came, _ = await asyncio.gather(
            MailboxModel(tmp_path, timeout_s=5, poll_s=0.1).complete(request), person()
        )
        return came.text

    assert asyncio.run(go()) == "one two three"


def test_an_answer_to_another_request_is_not_taken(tmp_path, ask):
    (tmp_path / f"{stem(ask('before'))}.answer.md").write_text("stale")
    with pytest.raises(ModelUnavailable):
        asyncio.run(MailboxModel(tmp_path, timeout_s=0.05, poll_s=0.01).complete(ask("after")))


def test_bytes_that_are_no_text_are_an_answer_too(tmp_path, ask):
    (tmp_path / f"{stem(ask())}.answer.md").write_bytes(b"caf\xe9")
    assert asyncio.run(MailboxModel(tmp_path, poll_s=0.01).complete(ask())).text == "caf\ufffd"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelSetupError, match="expected a directory at"):
        MailboxModel(tmp_path / "file" / "box")


def test_the_hash_is_of_what_is_asked(ask):
    assert ask().hash == ask(ordinal=9, attempt=2).hash
    assert len({ask().hash, ask("x").hash, ask(max_output_tokens=1).hash, ask(temperature=0.1).hash}) == 4
    assert Request((Message("user", "a\ud800"),), 5).hash
