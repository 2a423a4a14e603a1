"""What caproto's threading client answers: `PV.read`, `PV.write` and `PV.subscribe`."""

from caproto import ChannelType, SubscriptionType
from caproto.threading.client import Context

from epics_gauge import worker
from epics_gauge.worker import typed
import control_fields

KINDS = {typed.VALUE: "native", typed.TIME: "time", typed.METADATA: "time"}
METADATA = {**control_fields.LIMITS, "choices": "enum_strings"}


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_channel_access)

    def __init__(self):
        super().__init__()
        self.context = None

    def connected(self, question):
        if self.context is None:
            self.context = Context()
        (pv,) = self.context.get_pvs(question.pv)
        pv.wait_for_connection(timeout=question.timeout_s)
        return pv

    def get(self, question):
        pv = self.connected(question)
        answer = taken(pv.read(**of_get(question)), is_array(pv, question), question.form)
        if question.detail == typed.METADATA:
            control = pv.read(data_type="control", timeout=question.timeout_s)
            answer.update(limits_of(control))
        return answer

    def put(self, question):
        pv = self.connected(question)
        check_written(pv.write(**of_put(question)))

    def subscribe(self, question):
        pv = self.connected(question)
        self.subscription = pv.subscribe(**of_monitor(question))
        array = is_array(pv, question)

        def on_update(_subscription, response):
            self.updates.append(taken(response, array, question.form))

        # The library keeps a weak reference only.
        self.on_update = on_update
        self.subscription.add_callback(on_update)

    def unsubscribe(self):
        self.subscription.clear()


def of_get(question):
    return {
        "data_type": kind_of(question),
        "data_count": question.count,
        "timeout": question.timeout_s,
    }


def of_put(question):
    common = {"wait": True, "timeout": question.timeout_s}
    if question.form != typed.LONG_TEXT:
        return {"data": question.value, **common}
    characters = question.value.encode() + b"\0"
    of_text = {"data_type": ChannelType.CHAR, "data_count": len(characters)}
    return {"data": characters, **of_text, **common}


def check_written(response):
    """The library hands an error back in the response, as its documentation says."""
    if response is not None and not response.status.success:
        raise RuntimeError(response.status.description)


def of_monitor(question):
    mask = SubscriptionType(0)
    for name in question.mask or ("value", "alarm"):
        mask |= getattr(SubscriptionType, f"DBE_{name.upper()}")
    return {"data_type": "time", "data_count": question.count, "mask": mask}


def limits_of(response):
    metadata = response.metadata
    return typed.fields(**{name: getattr(metadata, key, None) for name, key in METADATA.items()})


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
