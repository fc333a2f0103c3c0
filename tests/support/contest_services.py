"""Fake services for a contest: each takes many orders, refuses some prompts, and has faults."""

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from fake_services import TRANSCRIPTS, FakeService, Reply, Request
from generator.media import encode_master
from playable import SIZE, bar_clip

# Part of the id in each transcript that is another one for every order.
IDS = {
    "dashscope": "t-1",
    "dashscope-wan": "t-1",
    "ark": "cgt-1",
    "kling": "t-1",
    "gemini-veo": "o-1",
    "minimax": "t-1",
}
MARK = 12  # pixels of the mark's side, in the lower right corner
WHITE = 255


def marked_clip(number: int) -> bytes:
    """A clip with a white square in its lower right corner, as makers put their mark there."""
    clip = bar_clip(number)
    frames = clip.frames.copy()
    frames[:, SIZE - MARK :, SIZE - MARK :] = WHITE
    return encode_master(replace(clip, frames=frames))


def darkest_of_the_corner(picture: Any) -> int:
    """The darkest value in the corner where the mark would be: near 255 if it is there."""
    pixels = np.asarray(picture.convert("RGB"))
    return int(pixels[-MARK + 2 :, -MARK + 2 :].min())


class BusyService(FakeService):
    """Plays a transcript for many orders at once, each with an id of its own.

    Attributes:
        prompts: the texts that are known.
        refused_before, refused_after: prompts against the rules of content.
        accepted: prompts of the accepted orders, in their order.
    """

    def __init__(self, name: str, file: bytes, prompts: list[str]) -> None:
        super().__init__(TRANSCRIPTS[name], file)
        self.name, self.id, self.prompts = name, IDS[name], prompts
        self.refused_before: set[str] = set()
        self.refused_after: set[str] = set()
        self.accepted: list[str] = []
        self.by_name: dict[str, int] = {}
        self.polls = 2
        self._poll_pattern = self.transcript.poll.replace(self.id, rf"{self.id}(\d+)")

    def times_accepted(self) -> Counter[str]:
        return Counter(self.accepted)

    def _answer(self, request: Request) -> Reply:
        script = self.transcript
        if request.method == "POST" and request.path == script.create:
            return self._create(request)
        if script.find and re.fullmatch(script.find, request.path):
            number = self.by_name.get(request.path.rpartition("=")[2])
            found = (
                script.nothing_found if number is None else self._with_id(script.waiting, number)
            )
            return Reply(found)
        if match := re.fullmatch(self._poll_pattern, request.path):
            return self._state(int(match[1]))
        return super()._answer(request)

    def _create(self, request: Request) -> Reply:
        script = self.transcript
        sent = json.dumps(request.body, ensure_ascii=False)
        (prompt,) = [each for each in self.prompts if json.dumps(each, ensure_ascii=False) in sent]
        if prompt in self.refused_before:
            assert script.refused_before is not None
            return script.refused_before
        reply = self.create_replies.pop(0) if self.create_replies else None
        if reply is not None and not reply.drop:
            return reply
        self.accepted.append(prompt)
        number = len(self.accepted)
        self.by_name[str((request.body.get("options") or {}).get("external_task_id"))] = number
        return reply or Reply(self._with_id(script.accepted, number))

    def _state(self, number: int) -> Reply:
        if self.poll_replies:
            return self.poll_replies.pop(0)
        script, key = self.transcript, str(number)
        self.waited[key] = self.waited.get(key, 0) + 1
        if self.waited[key] <= self.polls:
            return Reply(self._with_id(script.waiting, number))
        refused = self.accepted[number - 1] in self.refused_after
        return Reply(self._with_id(script.refused_after if refused else script.done, number))

    def _with_id(self, data: Any, number: int) -> Any:
        return json.loads(json.dumps(data).replace(self.id, f"{self.id}{number}"))
