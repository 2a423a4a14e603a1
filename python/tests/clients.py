"""Each client library as its documentation uses it, behind three calls: get a number, put
one, and follow a PV until a condition holds."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

# No answer may take this long on a machine that tests share.
PATIENCE_S = 30.0

Condition = Callable[[float], bool]


class Updates:
    """What a callback was called with, until a condition holds."""

    def __init__(self) -> None:
        self.values: queue.SimpleQueue[float] = queue.SimpleQueue()

    def wait_for(self, condition: Condition) -> float:
        while True:
            value = self.values.get(timeout=PATIENCE_S)
            if condition(value):
                return value


class PyEpics:
    """One context in a process, made at the first use."""

    def __init__(self) -> None:
        import epics

        self.epics = epics

    def get(self, name: str) -> float:
        pv = self.epics.PV(name)
        assert pv.wait_for_connection(timeout=PATIENCE_S), name
        return float(pv.get(use_monitor=False, timeout=PATIENCE_S))

    def put(self, name: str, value: float) -> None:
        pv = self.epics.PV(name)
        assert pv.wait_for_connection(timeout=PATIENCE_S), name
        assert pv.put(value, wait=True, timeout=PATIENCE_S) == 1

    def follow(self, name: str, condition: Condition) -> float:
        updates = Updates()
        pv = self.epics.PV(
            name, callback=lambda value, **_: updates.values.put(value), auto_monitor=True
        )
        try:
            return updates.wait_for(condition)
        finally:
            pv.disconnect()


class Caproto:
    def __init__(self) -> None:
        from caproto.threading.client import Context

        self.context = Context(timeout=PATIENCE_S)

    def close(self) -> None:
        self.context.disconnect()

    def pv(self, name: str) -> Any:
        (pv,) = self.context.get_pvs(name)
        pv.wait_for_connection(timeout=PATIENCE_S)
        return pv

    def get(self, name: str) -> float:
        return float(self.pv(name).read(timeout=PATIENCE_S).data[0])

    def put(self, name: str, value: float) -> None:
        self.pv(name).write([value], wait=True, timeout=PATIENCE_S)

    def follow(self, name: str, condition: Condition) -> float:
        updates = Updates()

        def on_update(_subscription: Any, response: Any) -> None:
            updates.values.put(float(response.data[0]))

        subscription = self.pv(name).subscribe()
        subscription.add_callback(on_update)
        try:
            return updates.wait_for(condition)
        finally:
            subscription.clear()


class P4p:
    def __init__(self) -> None:
        from p4p.client.thread import Context

        self.context = Context("pva")

    def close(self) -> None:
        self.context.close()

    def get(self, name: str) -> float:
        return float(self.context.get(name, timeout=PATIENCE_S))

    def put(self, name: str, value: float) -> None:
        self.context.put(name, value, timeout=PATIENCE_S)

    def follow(self, name: str, condition: Condition) -> float:
        updates = Updates()
        with contextlib.closing(
            self.context.monitor(name, lambda value: updates.values.put(float(value)))
        ):
            return updates.wait_for(condition)


class PvaPy:
    """One provider in a process, made at the first use."""

    def __init__(self) -> None:
        import pvaccess

        self.pvaccess = pvaccess

    def channel(self, name: str) -> Any:
        channel = self.pvaccess.Channel(name)
        channel.setTimeout(PATIENCE_S)
        return channel

    def get(self, name: str) -> float:
        return float(self.channel(name).get("field(value)")["value"])

    def put(self, name: str, value: float) -> None:
        self.channel(name).putDouble(value, "field(value)")

    def follow(self, name: str, condition: Condition) -> float:
        updates = Updates()
        channel = self.channel(name)
        channel.monitor(lambda update: updates.values.put(update["value"]), "field(value)")
        try:
            return updates.wait_for(condition)
        finally:
            channel.stopMonitor()


class Aioca:
    """One context in a process, made at the first use, for all event loops."""

    async def get(self, name: str) -> float:
        import aioca

        return float(await aioca.caget(name, timeout=PATIENCE_S))

    async def put(self, name: str, value: float) -> None:
        import aioca

        await aioca.caput(name, value, wait=True, timeout=PATIENCE_S)

    async def follow(self, name: str, condition: Condition) -> float:
        import aioca

        values: asyncio.Queue[float] = asyncio.Queue()
        subscription = aioca.camonitor(name, values.put, all_updates=True)
        try:
            return await first(from_queue(values), condition)
        finally:
            subscription.close()


class OphydAsync:
    """Signals over aioca, or over one context of p4p in a process."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol

    async def signal(self, name: str) -> Any:
        from ophyd_async.epics.core import epics_signal_rw

        signal = epics_signal_rw(float, f"{self.protocol}://{name}")
        await signal.connect(timeout=PATIENCE_S)
        return signal

    async def get(self, name: str) -> float:
        return float(await (await self.signal(name)).get_value())

    async def put(self, name: str, value: float) -> None:
        await (await self.signal(name)).set(value, timeout=PATIENCE_S)

    async def follow(self, name: str, condition: Condition) -> float:
        from ophyd_async.core import observe_value

        signal = await self.signal(name)
        return await first(observe_value(signal, timeout=PATIENCE_S), condition)


async def from_queue(values: asyncio.Queue[float]) -> AsyncIterator[float]:
    while True:
        yield await asyncio.wait_for(values.get(), PATIENCE_S)


async def first(values: AsyncIterator[float], condition: Condition) -> float:
    async with contextlib.aclosing(values) as values:
        async for value in values:
            if condition(value):
                return float(value)
    raise AssertionError("the updates ended")


@contextlib.contextmanager
def opened(client: Any) -> Iterator[Any]:
    """A client for one test; those that can be closed are."""
    try:
        yield client
    finally:
        if hasattr(client, "close"):
            client.close()
