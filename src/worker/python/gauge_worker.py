"""The worker's loop: reads commands, times stages, writes answers.

The Python twin of `src/worker/serve.rs`; the protocol is described in
`docs/worker-protocol.md`. Every client is a subclass of `Client` in a file of
its own.
"""

import importlib
import json
import math
import os
import platform
import queue
import sys
import threading
import time
import traceback
from importlib import metadata

PROTOCOL_VERSION = 1
STAGES = ("import", "context", "create", "connect", "get", "get-again", "put", "readback")
MODES = ("serial", "bulk")
# EX_DATAERR of sysexits.h: what came on stdin is not of the protocol.
EXIT_PROTOCOL = 65
EXIT_CRASH = 1


class Client:
    """One approach, as the loop drives it.

    Every method blocks until its stage is finished and gives up after
    `self.job.timeout_s`. PVs are named by their index in `self.job.pvs`.
    """

    # The stages that the library can separate.
    stages = ("context", "create", "connect", "get", "put")
    # What a reader of the figures should know.
    warnings = ()
    job = None

    def versions(self):
        """Versions of everything below the approach, as texts."""
        raise NotImplementedError

    def context(self):
        """Makes the library's context; touches no PV."""
        raise NotImplementedError

    def create(self):
        """Makes the channel objects of all PVs."""
        raise NotImplementedError

    def connect(self, mode):
        """Waits until all PVs are connected.

        In serial mode nothing was created before: each PV is created and
        connected before the next is begun.
        """
        raise NotImplementedError

    def get(self, mode, pvs):
        """Reads fresh values of `pvs`, in that order."""
        raise NotImplementedError

    def put(self, mode, pvs, values):
        """Writes `values` to `pvs` and waits for each server's confirmation."""
        raise NotImplementedError

    def timed(self, work):
        """Calls `work` and returns its result and its span."""
        clock = Clock()
        result = work()
        return result, clock.until_now()


class StageError(Exception):
    """Why a stage could not be finished: a sentence naming the first PV concerned."""


class ProtocolError(Exception):
    """A line on stdin that is not of the protocol."""


class Job:
    """What a worker works on."""

    def __init__(self, pvs, timeout_s):
        self.pvs = pvs
        self.timeout_s = timeout_s

    def deadline(self):
        """The deadline of a stage that starts now."""
        return Deadline(self.timeout_s)

    def unfinished(self, what, missing, total):
        """The error of a stage that ran into its timeout; `missing` are indices."""
        return StageError(
            f"{len(missing)} of {total} PVs not {what} after {self.timeout_s:g} s, "
            f"first {self.pvs[min(missing)]}"
        )

    def disconnected(self, missing, total):
        """The error of a request that needs connected PVs; `missing` are indices."""
        return StageError(
            f"{len(missing)} of {total} PVs not connected, first {self.pvs[min(missing)]}"
        )


class Deadline:
    """A point in time up to which every wait of a stage may last."""

    def __init__(self, timeout_s):
        self.end = time.monotonic() + timeout_s

    def remaining_s(self):
        """Seconds left; 0 when the deadline has passed."""
        return max(0.0, self.end - time.monotonic())


class Pending:
    """The PVs of one request whose callback has not come yet.

    Every request needs a new one: a wait on an event that was never cleared
    returns at once, with the value of the request before.
    """

    def __init__(self, pvs):
        self.missing = set(pvs)
        self.finished = threading.Event()

    def arrived(self, pv):
        """To be called by the library's callback, on any thread."""
        self.missing.discard(pv)
        if not self.missing:
            self.finished.set()

    def wait(self, deadline):
        """Blocks until every callback has come or the deadline has passed;
        returns the PVs that are still missing."""
        if self.missing:
            self.finished.wait(deadline.remaining_s())
        return list(self.missing)


class Clock:
    """The monotonic clock and the process's CPU clock, read together."""

    def __init__(self):
        self.start_ns = time.monotonic_ns()
        self.start_cpu_ns = time.process_time_ns()

    def until_now(self):
        """The span since this clock was made."""
        end_ns = time.monotonic_ns()
        cpu_ns = time.process_time_ns() - self.start_cpu_ns
        return {"start_ns": self.start_ns, "end_ns": end_ns, "cpu_ns": cpu_ns}


def serve(approach):
    """Serves one harness on stdin and stdout until stdin ends; never returns."""
    answers = take_over_stdout()
    lines = lines_from_stdin()
    # Always os._exit: shutting down Python under a library's threads may take
    # seconds or crash.
    try:
        clock = Clock()
        client = importlib.import_module(f"client_{approach}").Client()
        span = clock.until_now()
        say(answers, hello(approach, client, span))
        while True:
            obey(client, parse(lines.get()), answers)
    except ProtocolError as error:
        print(f"worker {approach}: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_PROTOCOL)
    except BaseException:
        traceback.print_exc()
        os._exit(EXIT_CRASH)


def take_over_stdout():
    """Keeps stdout for answers alone: what libraries print, even from C, goes
    to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def lines_from_stdin():
    """Reads stdin on a thread of its own: when it ends the harness is gone or
    done, and the process ends at once, whatever the main thread is doing."""
    lines = queue.SimpleQueue()

    def read():
        for line in sys.stdin.buffer:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return lines


def hello(approach, client, span):
    message = {
        "message": "hello",
        "protocol": PROTOCOL_VERSION,
        "approach": approach,
        "pid": os.getpid(),
        "versions": {"python": platform.python_version(), **client.versions()},
        "stages": list(client.stages),
        "modes": list(MODES),
        "import": span,
    }
    if client.warnings:
        message["warnings"] = list(client.warnings)
    return message


def distribution_versions(*names):
    """Versions of installed Python packages, by the names they are installed under."""
    return {name: metadata.version(name) for name in names}


def parse(line):
    """A message from the harness, or ProtocolError."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("not a JSON object")
    kind = message.pop("message", None)
    if kind == "job":
        check_fields(kind, message, required={"pvs", "timeout_s"})
        check("pvs", is_list_of(message["pvs"], str))
        check("timeout_s", is_number(message["timeout_s"]))
    elif kind == "stage":
        check_fields(kind, message, required={"stage", "mode"}, optional={"pvs", "values"})
        check("stage", message["stage"] in STAGES)
        check("mode", message["mode"] in MODES)
        check("pvs", message.get("pvs") is None or is_list_of_indices(message["pvs"]))
        check("values", message.get("values") is None or is_list_of_numbers(message["values"]))
    else:
        raise ProtocolError(f"unknown message {kind!r}")
    return kind, message


def check_fields(kind, message, required, optional=frozenset()):
    missing = required - message.keys()
    unknown = message.keys() - required - optional
    if missing or unknown:
        raise ProtocolError(
            f"message {kind!r}: missing fields {sorted(missing)}, unknown fields {sorted(unknown)}"
        )


def check(field, is_valid):
    if not is_valid:
        raise ProtocolError(f"field {field!r} has an invalid value")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_list_of(value, kind):
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def is_list_of_numbers(value):
    return isinstance(value, list) and all(is_number(item) for item in value)


def is_list_of_indices(value):
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def obey(client, parsed, answers):
    kind, message = parsed
    if kind == "job":
        client.job = Job(message["pvs"], message["timeout_s"])
    elif client.job is None:
        raise ProtocolError("a stage came before the job")
    else:
        say(answers, run(client, message))


def run(client, command):
    stage = command["stage"]
    try:
        work, reads = work_of(client, command)
        result, span = client.timed(work)
        done = {"message": "done", "stage": stage, "mode": command["mode"], **span}
        if reads:
            done["values"] = finite(client.job, reads, result)
        return done
    except StageError as error:
        return {"message": "failed", "stage": stage, "error": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"message": "failed", "stage": stage, "error": f"{type(error).__name__}: {error}"}


def work_of(client, command):
    """What a command asks for, ready to be timed, and the PVs that it reads."""
    stage, mode = command["stage"], command["mode"]
    total = len(client.job.pvs)
    pvs = command.get("pvs")
    if pvs is None:
        pvs = list(range(total))
    for index in pvs:
        if index >= total:
            raise StageError(f"PV index {index} is not in the job")
    if stage == "import":
        raise StageError("import was over before hello")
    if stage == "context":
        return client.context, None
    if stage == "create":
        return client.create, None
    if stage == "connect":
        return lambda: client.connect(mode), None
    if stage == "put":
        values = command.get("values") or []
        if len(values) != len(pvs):
            raise StageError(f"{len(values)} values for {len(pvs)} PVs")
        return lambda: client.put(mode, pvs, values), None
    return lambda: client.get(mode, pvs), pvs


def finite(job, pvs, values):
    """The values as JSON can write them."""
    values = [float(value) for value in values]
    for pv, value in zip(pvs, values):
        if not math.isfinite(value):
            raise StageError(f"the value of {job.pvs[pv]} is {value}")
    return values


def say(answers, message):
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()
