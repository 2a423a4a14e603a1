"""Where typed questions find their methods, for libraries with blocking calls and coroutines."""

from __future__ import annotations

import asyncio

import pytest

from epics_gauge.worker import asyncio_client, typed


class Blocking(typed.Asked):
    unable = staticmethod(typed.unable_over_channel_access)
    brought = (1, 2)

    def get(self, question):
        return question.pv

    def subscribe(self, question):
        self.updates += self.brought

    def unsubscribe(self):
        self.ended = True

    def taken(self, update):
        return -update


class Coroutines(asyncio_client.Asked):
    brought = (1, 2)

    async def get(self, question):
        return question.pv

    async def subscribe(self, question):
        self.updates += self.brought

    async def unsubscribe(self):
        self.ended = True

    def taken(self, update):
        return -update


def question(call, **more):
    return typed.Question({"call": call, "pv": "x", **more}, timeout_s=0.05)


def answer_of(asked, call):
    answer = asked.ask(question(call))
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


@pytest.mark.parametrize("kind", [Blocking, Coroutines])
def test_a_question_reaches_the_method_of_its_call(kind):
    asked = kind()
    assert answer_of(asked, "get") == "x"
    assert answer_of(asked, "monitor") is None
    assert answer_of(asked, "updates") == [-1, -2]
    assert asked.ended


@pytest.mark.parametrize("kind", [Blocking, Coroutines])
def test_a_silent_subscription_is_an_error(kind):
    asked = kind()
    asked.brought = ()
    with pytest.raises(TimeoutError):
        answer_of(asked, "monitor")


def test_what_a_protocol_cannot_say_is_unable():
    with pytest.raises(typed.Unable):
        Blocking().ask(question("get", request="field(value)"))
    for more in ({"form": "text"}, {"count": 1}, {"mask": ["value"]}):
        assert typed.unable_over_pv_access(question("get", **more))
    assert typed.unable_over_pv_access(question("get")) is None
