"""What caproto's client for asyncio answers: the calls of that for threads as coroutines."""

from caproto.asyncio.client import Context

from epics_gauge.worker import asyncio_client, typed
import ask_caproto


class Asked(asyncio_client.Asked):
    unable = staticmethod(typed.unable_over_channel_access)

    def __init__(self):
        super().__init__()
        self.context = None

    async def connected(self, question):
        # The library makes it within its event loop only.
        if self.context is None:
            self.context = Context()
        (pv,) = await self.context.get_pvs(question.pv)
        await pv.wait_for_connection(timeout=question.timeout_s)
        return pv

    async def get(self, question):
        pv = await self.connected(question)
        response = await pv.read(**ask_caproto.of_get(question))
        array = ask_caproto.is_array(pv, question)
        answer = ask_caproto.taken(response, array, question.form)
        if question.detail == typed.METADATA:
            control = await pv.read(data_type="control", timeout=question.timeout_s)
            answer.update(ask_caproto.limits_of(control))
        return answer

    async def put(self, question):
        pv = await self.connected(question)
        ask_caproto.check_written(await pv.write(**ask_caproto.of_put(question)))

    async def subscribe(self, question):
        pv = await self.connected(question)
        self.subscription = pv.subscribe(**ask_caproto.of_monitor(question))
        array = ask_caproto.is_array(pv, question)

        def on_update(_subscription, response):
            self.updates.append(ask_caproto.taken(response, array, question.form))

        # The library keeps a weak reference only.
        self.on_update = on_update
        self.subscription.add_callback(on_update)

    async def unsubscribe(self):
        await self.subscription.clear()
