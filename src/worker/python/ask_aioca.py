"""What aioca answers: `caget`, `caput` and `camonitor` as its documentation uses them."""

import aioca

from epics_gauge.worker import asyncio_client, typed
from catools_api import Api, taken

API = Api(aioca)


class Asked(asyncio_client.Asked):
    unable = staticmethod(typed.unable_over_channel_access)
    taken = staticmethod(taken)

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

    async def subscribe(self, question):
        self.subscription = aioca.camonitor(
            question.pv, self.updates.append, **API.of_monitor(question)
        )
