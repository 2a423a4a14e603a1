"""Values as the stage `ask` sends them: JSON that loses nothing.

The Python twin of `src/worker_protocol/typed.rs`.
"""

import struct
import time

# What a worker is asked for beside the value.
VALUE, TIME, METADATA = "value", "time", "metadata"
# In which form it is asked for the value.
NATIVE, TEXT, LONG_TEXT = "native", "text", "long-text"


# The method for each call.
CALLS = {"get": "get", "put": "put", "monitor": "monitor", "updates": "collected"}
# What is awaited between two looks for a first update.
LOOK_S = 0.005


class Unable(Exception):
    """The library has no call for what is asked, and why."""


class Question:
    """What is asked: the fields of `ask` in `docs/worker-protocol.md`, and how many seconds the
    library has."""

    def __init__(self, ask, timeout_s):
        self.call = ask["call"]
        self.pv = ask["pv"]
        self.detail = ask.get("detail") or VALUE
        self.form = ask.get("form") or NATIVE
        self.count = ask.get("count")
        self.mask = ask.get("mask")
        self.request = ask.get("request")
        self.value = None if ask.get("value") is None else decoded(ask["value"])
        self.seconds = ask.get("seconds") or 0.0
        self.timeout_s = timeout_s


def fields(**values):
    """The fields of an answer; those that are None are left out."""
    return {name: encoded(value) for name, value in values.items() if value is not None}


def encoded(value):
    """A value as the protocol writes it."""
    if value is None:
        return {"nothing": None}
    if isinstance(value, (str, bytes)):
        return text(value)
    if isinstance(value, dict):
        return {"structure": {str(name): encoded(member) for name, member in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [encoded(element) for element in value]}
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind is not None and getattr(value, "ndim", 0):
        return {"list": [encoded(element) for element in value]}
    if isinstance(value, bool) or kind == "b":
        return {"boolean": bool(value)}
    if kind in ("S", "U"):
        return text(value.item() if hasattr(value, "item") else value)
    if isinstance(value, int) or kind in ("i", "u"):
        return {"integer": str(int(value))}
    if isinstance(value, float) or kind == "f":
        return {"float": struct.pack(">d", float(value)).hex()}
    if hasattr(value, "__iter__"):
        return {"list": [encoded(element) for element in value]}
    raise Unable(f"the library returned a {type(value).__name__}, for which there is no word")


def text(value):
    """Bytes that are not UTF-8, and texts that stand for such bytes, go as bytes."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    try:
        return {"text": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"bytes": value.hex()}


def decoded(value):
    """A value of the protocol as Python has it."""
    ((kind, content),) = value.items()
    if kind == "integer":
        return int(content)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "list":
        return [decoded(element) for element in content]
    if kind == "structure":
        return {name: decoded(member) for name, member in content.items()}
    return content


def is_unanswered(error):
    """Whether no answer came, which is no refusal. By name too: before Python 3.11 asyncio has a
    TimeoutError of its own, and to import it here would spoil the figure of `import`."""
    if isinstance(error, (TimeoutError, ConnectionError)):
        return True
    return any(kind.__name__ == "TimeoutError" for kind in type(error).__mro__)


def reply(answer):
    """What goes with `done`: `answer` is called and returns fields, or a list of them for
    updates."""
    try:
        result = answer()
    except Unable as unable:
        return {"unable": str(unable)}
    except Exception as error:
        kind = "unanswered" if is_unanswered(error) else "error"
        return {kind: f"{type(error).__name__}: {error}"}
    return {"updates": result} if isinstance(result, list) else {"fields": result or {}}


class Asked:
    """A library with blocking calls that is asked: the one place where a question finds its
    method. Its subclass is `get`, `put`, `subscribe`, which appends to `self.updates` whatever
    a callback brings, and `unsubscribe`. The subscription lives from `monitor` to `updates`."""

    # Why the protocol has no words for a question, if it has none.
    unable = staticmethod(lambda question: None)
    # How the library wants a program to wait.
    sleep = staticmethod(time.sleep)

    def __init__(self):
        self.subscription = None
        self.updates = []

    def ask(self, question):
        reason = self.unable(question)
        if reason is not None:
            raise Unable(reason)
        return getattr(self, CALLS[question.call])(question)

    def monitor(self, question):
        self.updates = []
        self.subscribe(question)
        end = time.monotonic() + question.timeout_s
        while not self.updates:
            if time.monotonic() > end:
                raise TimeoutError("no first update")
            self.sleep(LOOK_S)

    def collected(self, question):
        self.sleep(question.seconds)
        self.unsubscribe()
        return [self.taken(update) for update in self.updates]

    def taken(self, update):
        """The fields of what a callback brought."""
        return update

    def unsubscribe(self):
        self.subscription.close()


def unable_over_channel_access(question):
    return None if question.request is None else "Channel Access has no request strings"


def unable_over_pv_access(question):
    if question.form != NATIVE:
        return "pvAccess has a value in its own type only"
    if question.count is not None:
        return "pvAccess has no requests for a part of an array"
    return None if question.mask is None else "pvAccess has no masks of events"
