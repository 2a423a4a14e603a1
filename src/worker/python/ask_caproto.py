"""What caproto's threading client answers: `PV.read`, `PV.write` and `PV.subscribe`."""

import time

from caproto import ChannelType, SubscriptionType
from caproto.threading.client import Context

from epics_gauge import worker
from epics_gauge.worker import typed
import control_fields

KINDS = {typed.VALUE: "native", typed.TIME: "time", typed.METADATA: "time"}
METADATA = {**control_fields.LIMITS, "choices": "enum_strings"}


class Asked:
    """Answers questions; keeps the subscription of the last `monitor`."""

    def __init__(self):
        self.context = None
        self.subscription = None
        self.updates = []

    def ask(self, question):
        if question.request is not None:
            raise typed.Unable("Channel Access has no request strings")
        return {
            "get": self.get,
            "put": self.put,
            "monitor": self.monitor,
            "updates": self.collected,
        }[question.call](question)

    def connected(self, question):
        if self.context is None:
            self.context = Context()
        (pv,) = self.context.get_pvs(question.pv)
        pv.wait_for_connection(timeout=question.timeout_s)
        return pv

    def get(self, question):
        pv = self.connected(question)
        response = pv.read(
            data_type=kind_of(question),
            data_count=question.count,
            timeout=question.timeout_s,
        )
        answer = taken(response, is_array(pv, question), question.form)
        if question.detail == typed.METADATA:
            control = pv.read(data_type="control", timeout=question.timeout_s).metadata
            found = {name: getattr(control, key, None) for name, key in METADATA.items()}
            answer.update(typed.fields(**found))
        return answer

    def put(self, question):
        pv = self.connected(question)
        value = question.value
        if question.form == typed.LONG_TEXT:
            value = value.encode() + b"\0"
            response = pv.write(
                value, data_type=ChannelType.CHAR, data_count=len(value), wait=True,
                timeout=question.timeout_s,
            )
        else:
            response = pv.write(value, wait=True, timeout=question.timeout_s)
        if response is not None and not response.status.success:
            # The library hands an error back in the response, as its documentation says.
            raise RuntimeError(response.status.description)

    def monitor(self, question):
        pv = self.connected(question)
        self.updates = []
        mask = SubscriptionType(0)
        for name in question.mask or ("value", "alarm"):
            mask |= getattr(SubscriptionType, f"DBE_{name.upper()}")
        self.subscription = pv.subscribe("time", data_count=question.count, mask=mask)
        array = is_array(pv, question)

        def on_update(_subscription, response):
            self.updates.append(taken(response, array, question.form))

        # The library keeps a weak reference only.
        self.on_update = on_update
        self.subscription.add_callback(on_update)
        end = time.monotonic() + question.timeout_s
        while not self.updates:
            if time.monotonic() > end:
                raise TimeoutError("no first update")
            time.sleep(0.005)

    def collected(self, question):
        time.sleep(question.seconds)
        self.subscription.clear()
        return list(self.updates)


def kind_of(question):
    if question.form == typed.TEXT:
        return ChannelType.STRING if question.detail == typed.VALUE else ChannelType.TIME_STRING
    return KINDS[question.detail]


def is_array(pv, question):
    """Its answers are arrays always; what is a scalar shows the channel's own count."""
    return pv.channel.native_data_count != 1 or question.form == typed.LONG_TEXT


def taken(response, array, form):
    data = response.data
    if form == typed.LONG_TEXT:
        value = bytes(data).split(b"\0")[0]
    else:
        value = list(data) if array else data[0]
    metadata = response.metadata
    stamp = getattr(metadata, "stamp", None)
    seconds = None if stamp is None else stamp.secondsSinceEpoch + worker.loop.EPICS_EPOCH_S
    return typed.fields(
        value=value,
        status=getattr(metadata, "status", None),
        severity=getattr(metadata, "severity", None),
        seconds=seconds,
        nanoseconds=None if stamp is None else stamp.nanoSeconds,
    )
