"""A Channel Access server of caproto, in pure Python: one `pvproperty` for each
PV, written to by a coroutine that is started with the server.

As in caproto's documentation: a `PVGroup`, `ioc.pvdb`, the asyncio server with a
startup hook, and `instance.write(value)` in a loop.
"""

import asyncio
import logging
import threading
import time

import caproto
from epics_gauge.server.database import STATE_FIELDS, Shell, records_of
from epics_gauge.server.asyncio_server import AsyncioServer
from caproto.asyncio.server import Context
from caproto.server import PVGroup, pvproperty
from epics_gauge.server import DEADLINE_S, ServerError, pv_name, value_of
from epics_gauge.worker import distribution_versions


class Gauge(PVGroup):
    """One PV; its whole name is the group's prefix."""

    value = pvproperty(value=0.0, name="")


# The channels that stand for kinds of values: as EPICS Base serves them over Channel Access, which
# has no wide and no unsigned integers.
CHANNELS = {
    "byte": caproto.ChannelByte, "ubyte": caproto.ChannelByte, "short": caproto.ChannelShort,
    "ushort": caproto.ChannelInteger, "int": caproto.ChannelInteger,
    "uint": caproto.ChannelDouble, "long": caproto.ChannelDouble, "ulong": caproto.ChannelDouble,
    "float": caproto.ChannelFloat, "double": caproto.ChannelDouble,
    "string": caproto.ChannelString,
}
# The record types that they stand for, and the fields that they have.
TYPES = ("ao", "longout", "stringout", "bo", "mbbo", "waveform")
FIELDS = ("VAL", "PINI", "EGU", "PREC", "HOPR", "LOPR", "FTVL", "NELM", "INP", *STATE_FIELDS)


def of_record(record):
    """The channel of a record, with what its fields say."""
    if record.kind == "enum":
        return caproto.ChannelEnum(value=record.initial(), enum_strings=record.choices)
    length = {} if record.length is None else {"max_length": record.length}
    if record.kind == "string":
        return caproto.ChannelString(
            value=record.initial(), string_encoding="utf-8", **length
        )
    channel = CHANNELS[record.kind]
    number = float if channel in (caproto.ChannelDouble, caproto.ChannelFloat) else int
    precision = {"precision": int(record.number("PREC"))} if number is float else {}
    return channel(
        value=of_channel(record, record.initial()),
        units=record.fields.get("EGU", ""),
        lower_disp_limit=number(record.number("LOPR")),
        upper_disp_limit=number(record.number("HOPR")),
        **precision,
        **length,
    )


def of_channel(record, value):
    """A value as the channel takes it: DBR_CHAR has no sign."""
    return [one & 0xFF for one in value] if record.kind == "byte" else value


class DroppedUpdates(logging.Handler):
    """Counts what the server says that it dropped."""

    total = 0

    def emit(self, record):
        if "Dropped %d responses" in str(record.msg):
            self.total += record.args[0]


class Server(AsyncioServer):
    def versions(self):
        return {"caproto": caproto.__version__, **distribution_versions("numpy")}

    def serve(self, identity):
        caproto.config_caproto_logging(color=False, level="WARNING")
        self.dropped = DroppedUpdates()
        logging.getLogger("caproto").addHandler(self.dropped)
        self.pvs = {index: Gauge(prefix=pv_name(index)) for index in self.indices}
        pvdb = dict(Gauge(prefix=identity).pvdb)
        for group in self.pvs.values():
            pvdb.update(group.pvdb)
        held = records_of(self.database or "", TYPES, FIELDS)
        self.held = {name: of_record(record) for name, record in held.items()}
        pvdb.update(self.held)
        self.commands = Shell(held, self.current, self.write)
        self.serving = threading.Event()
        threading.Thread(target=self.run, args=(pvdb,), daemon=True).start()
        if not self.serving.wait(DEADLINE_S) or self.loop is None:
            raise ServerError("caproto's server does not run; its log says why")
        return {"ca": self.context.port}

    def run(self, pvdb):
        """Runs the server's loop, to the end of the process."""
        try:
            asyncio.run(self.run_server(pvdb))
        finally:
            self.loop = None
            self.serving.set()

    async def run_server(self, pvdb):
        self.context = Context(pvdb)
        await self.context.run(startup_hook=self.started)

    async def started(self, async_lib):
        for index, group in self.pvs.items():
            await group.value.write(value_of(index, 0), timestamp=time.time())
        self.loop = asyncio.get_running_loop()
        self.serving.set()

    def tick(self):
        self.finish(self.update_all())

    async def update_all(self):
        for index, group in self.pvs.items():
            await group.value.write(self.next_value(index), timestamp=time.time())

    def current(self, record):
        value = self.held[record.name].value
        if record.kind == "enum" and isinstance(value, str):
            return record.choices.index(value)
        return value if record.length is None else list(value)

    def write(self, record, value):
        value = of_channel(record, value)
        self.finish(self.held[record.name].write(value, timestamp=time.time()))

    def shell(self, command):
        return self.commands.run(command)

    def value(self, index):
        return float(self.pvs[index].value.value)

    def counters(self):
        return {**super().counters(), **self.finish(self.circuits())}

    async def circuits(self):
        subscriptions = sum(
            len(some)
            for circuit in self.context.circuits
            for some in circuit.subscriptions.values()
        )
        return {"subscriptions": subscriptions, "merged_updates": self.dropped.total}
