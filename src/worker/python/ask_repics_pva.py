"""What repics answers over pvAccess: `Context.get`, `put` and `monitor`."""

import functools

from repics import pva
from repics._repics import Value

from epics_gauge.worker import typed
import normative_fields


def fields_of(value):
    """The value is what the library returned, all else is in its `raw` structure."""
    if isinstance(value, Value):
        return normative_fields.of_dict(value.todict())
    return normative_fields.with_value(value, value.raw.todict())


class Asked(typed.Asked):
    unable = staticmethod(typed.unable_over_pv_access)
    taken = staticmethod(fields_of)

    @functools.cached_property
    def context(self):
        return pva.Context()

    def get(self, question):
        return fields_of(self.context.get(question.pv, question.request, timeout=question.timeout_s))

    def put(self, question):
        self.context.put(
            question.pv, question.value, request=question.request, timeout=question.timeout_s
        )

    def subscribe(self, question):
        self.subscription = self.context.monitor(
            question.pv, self.updates.append, request=question.request
        )
