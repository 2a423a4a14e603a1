"""What pvapy answers: `Channel.get`, `put` and `monitor` as its documentation uses them."""

import pvaccess

from epics_gauge.worker import typed
import normative_fields

ALL_FIELDS = "field()"


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_pv_access)

    def get(self, question):
        channel = channel_of(question)
        return taken(channel.get(request_of(question)))

    def put(self, question):
        channel = channel_of(question)
        if question.request is None:
            channel.put(question.value)
        else:
            channel.put(question.value, question.request)

    def subscribe(self, question):
        self.subscription = channel_of(question)
        self.on_update = lambda update: self.updates.append(taken(update))
        self.subscription.monitor(self.on_update, request_of(question))

    def unsubscribe(self):
        self.subscription.stopMonitor()


def channel_of(question):
    channel = pvaccess.Channel(question.pv)
    channel.setTimeout(question.timeout_s)
    return channel


def request_of(question):
    return ALL_FIELDS if question.request is None else question.request


def taken(structure):
    return normative_fields.of_dict(structure.toDict())
