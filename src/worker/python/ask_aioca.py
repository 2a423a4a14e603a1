"""What aioca answers: `caget`, `caput` and `camonitor` as its documentation uses them."""

import asyncio

import aioca

from epics_gauge.worker import typed
import control_fields

MASKS = {"value": 1, "log": 2, "alarm": 4, "property": 8}
FORMATS = {
    typed.VALUE: aioca.FORMAT_RAW,
    typed.TIME: aioca.FORMAT_TIME,
    typed.METADATA: aioca.FORMAT_CTRL,
}
FORMS = {typed.NATIVE: None, typed.TEXT: aioca.DBR_STRING, typed.LONG_TEXT: aioca.DBR_CHAR_STR}
METADATA = {**control_fields.LIMITS, "choices": "enums"}


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
        value = await aioca.caget(
            question.pv,
            datatype=FORMS[question.form],
            format=FORMATS[question.detail],
            count=question.count or 0,
            timeout=question.timeout_s,
        )
        answer = taken(value)
        if question.detail == typed.METADATA:
            stamped = await aioca.caget(
                question.pv, format=aioca.FORMAT_TIME, timeout=question.timeout_s
            )
            answer = {**taken(stamped), **answer}
        return answer

    async def put(self, question):
        datatype = aioca.DBR_CHAR_STR if question.form == typed.LONG_TEXT else None
        await aioca.caput(
            question.pv, question.value, datatype=datatype, wait=True, timeout=question.timeout_s
        )

    async def monitor(self, question):
        self.updates = []
        first = asyncio.Event()

        def on_update(value):
            self.updates.append(taken(value))
            first.set()

        self.subscription = aioca.camonitor(
            question.pv,
            on_update,
            events=sum(MASKS[name] for name in question.mask or ("value", "alarm")),
            datatype=FORMS[question.form],
            format=aioca.FORMAT_TIME,
            count=question.count or 0,
            all_updates=True,
        )
        await asyncio.wait_for(first.wait(), question.timeout_s)

    async def collected(self, question):
        await asyncio.sleep(question.seconds)
        self.subscription.close()
        return list(self.updates)


def taken(value):
    seconds, nanoseconds = getattr(value, "raw_stamp", (None, None))
    found = {name: getattr(value, key, None) for name, key in METADATA.items()}
    return typed.fields(
        value=value,
        status=getattr(value, "status", None),
        severity=getattr(value, "severity", None),
        seconds=seconds,
        nanoseconds=nanoseconds,
        **found,
    )
