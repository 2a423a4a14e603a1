"""What aioca answers: `caget`, `caput` and `camonitor` as its documentation uses them."""

import asyncio

import aioca

from epics_gauge.worker import typed
from catools_api import Api, taken

API = Api(aioca)


class Asked:
    """Answers questions; keeps the subscription of the last `monitor`."""

    def __init__(self):
        self.subscription = None
        self.updates = []

    async def ask(self, question):
        if question.request is not None:
            raise typed.Unable("Channel Access has no request strings")
        return await {
            "get": self.get,
            "put": self.put,
            "monitor": self.monitor,
            "updates": self.collected,
        }[question.call](question)

    async def get(self, question):
        answer = taken(await aioca.caget(question.pv, **API.of_get(question)))
        if question.detail == typed.METADATA:
            stamped = await aioca.caget(
                question.pv, format=API.time, timeout=question.timeout_s
            )
            answer = {**taken(stamped), **answer}
        return answer

    async def put(self, question):
        await aioca.caput(question.pv, question.value, **API.of_put(question))

    async def monitor(self, question):
        self.updates = []
        first = asyncio.Event()

        def on_update(value):
            self.updates.append(taken(value))
            first.set()

        self.subscription = aioca.camonitor(question.pv, on_update, **API.of_monitor(question))
        await asyncio.wait_for(first.wait(), question.timeout_s)

    async def collected(self, question):
        await asyncio.sleep(question.seconds)
        self.subscription.close()
        return list(self.updates)
