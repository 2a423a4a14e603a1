"""The worker's loop: reads commands, times stages, writes answers.

The Python twin of `src/worker/serve.rs`; the protocol is described in
`docs/worker-protocol.md`. Every client is a subclass of `Client` in a file of
its own.
"""

import collections
import contextlib
import functools
import math
import os
import platform
import queue
import sys
import threading
import time
import traceback
from importlib import metadata

from . import slowdown, typed
from .gets import GetsMeanwhile
from .messages import MODES, PROTOCOL_VERSION, ProtocolError, parse, say
from .shared_use import Ended, in_child, in_threads

# From the Unix epoch to the start of 1990, which EPICS counts from.
EPICS_EPOCH_S = 631_152_000
# EX_DATAERR of sysexits.h: what came on stdin is not of the protocol.
EXIT_PROTOCOL = 65
EXIT_CRASH = 1
READ_BYTES = 1 << 20
# Stages that read by the library's ordinary get.
BY_DEFAULT = ("get-default", "get-default-again")
# Stages whose PVs are timed each when they are treated one by one.
ONE_BY_ONE = ("get", "get-again", "put", "readback", *BY_DEFAULT)
# The stages that a client can have, and the method that makes each of them possible.
STAGES = (
    ("context", "context"),
    ("create", "create"),
    ("connect", "connect"),
    ("get", "get"),
    ("put", "put"),
    ("put-unconfirmed", "put_unconfirmed"),
    ("get-default", "get"),
    ("subscribe", "monitor"),
    ("disconnect", "disconnect"),
    ("close", "close"),
    ("put-in-callback", "put"),
    ("close-elsewhere", "close"),
    ("get-forked", "get"),
    ("get-threads", "get"),
    ("subscribe-threads", "monitor"),
)


class Client:
    """One approach, as the loop drives it.

    Every method blocks until its stage is finished and gives up after
    `self.job.timeout_s`. PVs are named by their index in `self.job.pvs`.
    """

    # The stages that the library can separate; where this is None, those whose methods
    # the class has.
    stages = None
    # The Python packages whose versions `versions` returns.
    packages = ()
    # What the client reports beside updates: "states" when it calls `self.log.state`,
    # "unconnected" when it has `connect_without` or `seek`, "mixed" when it asks
    # `self.log.brings_frame` of each subscription, or need not know.
    reports = ()
    # Stages that the documentation of the library, or what it is built on, rules out, with
    # the place that says it.
    unable = {}
    # What a reader of the figures should know.
    warnings = ()
    job = None
    # Whether `close` was done.
    is_closed = False
    # Whether the library was asked for anything after it was imported.
    is_used = False
    # Whether `create` was asked for.
    is_created = False
    # Where callbacks note updates; new for every `subscribe`.
    log = None
    # What goes with the answer to the stage that runs.
    stage_warnings = ()
    # What a forked process used in it.
    child_cpu_ns = 0
    # When PVs of the stage that runs were finished, where it treats them one by one.
    pv_ends_ns = ()

    def versions(self):
        """Versions of everything below the approach, as texts."""
        return distribution_versions(*self.packages)

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

    def connect_without(self, absent):
        """Seeks all PVs at once and waits until all but `absent` are connected, which no
        server has; returns those of `absent` that the library does not report as connected.

        As it is here, for libraries whose calls take names: a program subscribes to all and
        goes on with those that are there."""
        seen = set()
        self.seek(absent, seen.add)
        with self.without(absent):
            self.connect("bulk")
        return [pv for pv in absent if pv not in seen]

    def seek(self, pvs, connected):
        """Begins to look for PVs that may not exist, and goes on until the process ends;
        calls `connected` with each that is there after all."""
        raise NotImplementedError

    def get(self, mode, pvs):
        """Reads fresh values of `pvs`, in that order; in serial mode calls `pv_done`
        whenever one is there."""
        raise NotImplementedError

    def get_default(self, pvs):
        """Reads `pvs` one after another as a program does that leaves everything to the
        library's defaults, and calls `pv_done` at each; a value may come from a cache. Where
        the library has no other get than the plain one, that is it."""
        return self.get("serial", pvs)

    def get_meanwhile(self, pv):
        """Reads a PV while updates come, as a program does that does not ask first whether
        the PV is connected."""
        (value,) = self.get("serial", [pv])
        return value

    def put(self, mode, pvs, values):
        """Writes `values` to `pvs` and waits for each server's confirmation; in serial
        mode calls `pv_done` after each."""
        raise NotImplementedError

    def put_unconfirmed(self, pvs, values):
        """Writes `values` to `pvs`, one after another, as the library does it that is not
        to wait for the server."""
        raise NotImplementedError

    def ask(self, question):
        """Answers a `typed.Question` by the library's documented call, without any stage
        before it: `typed.fields` of what the call returned, or for `updates` a list of them.
        Its exceptions are answers too; what the library has no call for is a `typed.Unable`."""
        raise NotImplementedError

    def answer(self, question):
        """The reply to a question, an exception of the library included."""
        return typed.reply(lambda: self.ask(question))

    def disconnect(self):
        """Ends all subscriptions and drops the channels of all PVs, as the library's
        documentation says; the context stays, and `create`, `connect` and `subscribe` may
        come again."""
        raise NotImplementedError

    def close(self):
        """Ends the context with all that is in it, as the library's documentation says. The
        process then ends as an ordinary program does."""
        raise NotImplementedError

    def put_from_callback(self, pvs, values, done):
        """Writes `values` to `pvs` as the library's documentation allows it in the callback of
        a monitor, in which this is called, and calls `done` when the server has confirmed
        them."""
        self.put("serial", pvs, values)
        done()

    def put_in_callback(self, pvs, values):
        """Writes `values` to `pvs` in the callback of the next update."""
        deadline, errors, finished = self.job.deadline(), [], self.event()

        def put():
            try:
                self.put_from_callback(pvs, values, finished.set)
            except Exception as error:
                errors.append(error)
                finished.set()

        self.log.on_next = put
        if not finished.wait(deadline.remaining_s()):
            raise self.job.unfinished("written from a callback", pvs, len(pvs))
        if errors:
            raise errors[0]

    def event(self):
        """What a stage waits for, and callbacks set."""
        return threading.Event()

    def get_in_child(self, pvs, is_used):
        """Reads `pvs` in a forked process; `is_used` tells whether the library had a context
        and channels before the fork."""
        # A library that gives up by itself does not hang.
        with self.time_limit(self.job.timeout_s / 2):
            return self.get_in_time(pvs, is_used)

    def get_in_time(self, pvs, is_used):
        if not is_used:
            self.timed(self.context, slowdown.nothing)
            if "create" in stages_of(self):
                self.timed(self.create, slowdown.nothing)
            self.timed(lambda: self.connect("bulk"), slowdown.nothing)
        values, _ = self.timed(lambda: self.get("bulk", pvs), slowdown.nothing)
        return [float(value) for value in values]

    def get_in_thread(self, pvs):
        """Reads `pvs` in a thread that is not the one that made the context, beside others."""
        return self.get("serial", pvs)

    def monitor_in_thread(self, pvs, deadline):
        """Subscribes to `pvs` in such a thread."""
        self.monitor(pvs, deadline)

    def subscribe_in_threads(self, pvs):
        """Subscribes to all, a part in each of several threads."""
        deadline, finished = self.job.deadline(), threading.Event()
        self.log.first_updates.expect(pvs, finished)

        def subscribe(share):
            self.monitor_in_thread(share, deadline)
            return share

        in_threads(pvs, subscribe, deadline.remaining_s())
        if not finished.wait(deadline.remaining_s()):
            self.check_subscribed(pvs, len(pvs))

    def end(self):
        """Does what remains to be done when `close` is answered, right before the program
        ends."""

    def pv_done(self):
        """Records that a PV is done, for the per-PV times; it costs about 0.1 µs."""
        self.pv_ends_ns.append(time.monotonic_ns())

    # The name that it had before, for workers that were written then.
    lap = pv_done

    def subscribe(self, mode, pvs):
        """Makes `self.log.monitors` subscriptions to value changes of each of `pvs`
        and waits until every one has sent its first update. `mode` says when the
        next PV is begun: no library has a call for one after the other."""
        deadline = self.job.deadline()
        for done, some in groups(mode, pvs):
            finished = threading.Event()
            self.log.first_updates.expect(some, finished)
            self.monitor(some, deadline)
            if some and not finished.wait(deadline.remaining_s()):
                self.check_subscribed(pvs, done)

    def check_subscribed(self, pvs, done):
        """Raises the error of a `subscribe` that has no time left; `done` PVs were
        begun."""
        silent = self.log.first_updates.silent_pvs()
        if silent and not self.log.may_be_silent:
            raise self.job.unfinished("subscribed", silent + pvs[done:], len(pvs)) from None

    def monitor(self, pvs, deadline):
        """Makes `self.log.subscriptions` to `pvs`, each as if it were the only one;
        from now on `self.log` notes their updates."""
        raise NotImplementedError

    def collect(self, seconds):
        """Takes updates for a time: the library's threads call back meanwhile."""
        time.sleep(seconds)

    def collect_with_gets(self, meanwhile):
        """Takes updates, and reads PVs one at a time meanwhile, each with a timeout of its
        own. A library must report by itself that it has no answer in time: it is not helped."""
        for pause_s, pv in meanwhile:
            self.collect(pause_s)
            if pv is None:
                return
            with self.time_limit(meanwhile.timeout_s):
                meanwhile.begin(pv)
                try:
                    meanwhile.answered(self.get_meanwhile(pv))
                except Exception as error:
                    meanwhile.failed(error)

    @contextlib.contextmanager
    def without(self, absent):
        """Within it the job has the other PVs only."""
        whole = self.job
        left = set(range(len(whole.pvs))).difference(absent)
        self.job = Job([whole.pvs[pv] for pv in sorted(left)], whole.timeout_s, whole.slowdown)
        try:
            yield
        finally:
            self.job = whole

    def living(self, absent):
        """The indices of all PVs but `absent`."""
        return sorted(set(range(len(self.job.pvs))).difference(absent))

    @contextlib.contextmanager
    def time_limit(self, timeout_s):
        """Within it the job has another timeout."""
        whole, self.job = self.job, Job(self.job.pvs, timeout_s, self.job.slowdown)
        try:
            yield
        finally:
            self.job = whole

    def counters(self):
        """What the library itself counts of its updates, by the names it gives."""
        return {}

    def next_line(self, lines):
        """Waits for the harness."""
        return lines.get()

    def timed(self, work, slow_down):
        """Calls `work`, is slow as ordered, and returns the result and the span of
        both."""
        clock = Clock()
        result = work()
        slow_down(clock)
        return result, clock.until_now()


class StageError(Exception):
    """Why a stage could not be finished: a sentence naming the first PV concerned."""


class Job:
    """What a worker works on."""

    def __init__(self, pvs, timeout_s, slowdown=None):
        self.pvs = pvs
        self.timeout_s = timeout_s
        self.slowdown = slowdown

    def deadline(self):
        """The deadline of a stage that starts now."""
        return Deadline(self.timeout_s)

    def unfinished(self, what, missing, total):
        """The error of a stage that ran into its timeout; `missing` are indices."""
        return StageError(
            f"{len(missing)} of {counted(total, 'PV')} not {what} after {self.timeout_s:g} s, "
            f"first {self.pvs[min(missing)]}"
        )

    def disconnected(self, missing, total):
        """The error of a request that needs connected PVs; `missing` are indices."""
        return StageError(
            f"{len(missing)} of {counted(total, 'PV')} not connected, "
            f"first {self.pvs[min(missing)]}"
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

    def __init__(self, pvs, finished=None):
        self.missing = set(pvs)
        # Those that are asked again within the same request.
        self.again = collections.Counter()
        if len(self.missing) < len(pvs):
            self.again = collections.Counter(pvs) - collections.Counter(self.missing)
        self.finished = finished or threading.Event()

    def arrived(self, pv):
        """To be called by the library's callback, on any thread."""
        if self.again and self.again[pv] > 0:
            self.again[pv] -= 1
            return
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


def unix_ns(seconds, nanoseconds):
    """A time stamp of Channel Access, which counts from 1990, since the Unix epoch."""
    return (seconds + EPICS_EPOCH_S) * 1_000_000_000 + nanoseconds


def serve(client, approach=None):
    """Serves one harness on stdin and stdout. Ends the process when stdin ends; returns after
    `close`, so that the program then ends as any program of the library does.

    `client` is a subclass of `Client`, or a function that imports and returns one. The
    stage `import` is the time of that function; without one it lasts from the import of
    `epics_gauge.worker`, which therefore comes before that of the library. `approach` is
    the name to say hello with: that of the class in lower case when there is none."""
    is_class = isinstance(client, type)
    if approach is None:
        approach = client.__name__.lower()
    answers = take_over_stdout()
    lines = lines_from_stdin()
    # Always os._exit: shutting down Python under a library's threads may take
    # seconds or crash.
    try:
        clock = IMPORTED if is_class else Clock()
        client = client() if is_class else client()()
        span = clock.until_now()
        say(answers, hello(approach, client, span))
        while not client.is_closed:
            obey(client, parse(client.next_line(lines)), answers)
        client.end()
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
    done, and the process ends at once, whatever the main thread is doing.

    Not through `sys.stdin`, which Python wants for itself when it ends."""
    lines = queue.SimpleQueue()

    def read():
        rest = b""
        while chunk := os.read(0, READ_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
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
        "stages": [*stages_of(client), *(["ask"] if is_own(client, "ask") else [])],
        "modes": list(MODES),
        "import": span,
    }
    reports = list(client.reports)
    if "subscribe" in message["stages"]:
        reports.append("silent")
    if "get" in message["stages"]:
        reports.append("gets")
    if reports:
        message["reports"] = reports
    if client.warnings:
        message["warnings"] = list(client.warnings)
    if client.unable:
        message["unable"] = dict(client.unable)
    return message


def stages_of(client):
    """The stages that a client says it has, else those whose methods are its own."""
    return [stage for stage in named_stages(client) if stage not in client.unable]


def named_stages(client):
    if client.stages is not None:
        return client.stages
    return [stage for stage, method in STAGES if is_own(client, method)]


def is_own(client, method):
    return getattr(type(client), method) is not getattr(Client, method)


def stages_without(*missing):
    """The stages of a client that has all but these."""
    return tuple(stage for stage, _ in STAGES if stage not in missing)


def distribution_versions(*names):
    """Versions of installed Python packages, by the names they are installed under."""
    return {name: metadata.version(name) for name in names}


def obey(client, parsed, answers):
    kind, message = parsed
    if kind == "job":
        client.job = Job(message["pvs"], message["timeout_s"], message.get("slowdown"))
    elif client.job is None:
        raise ProtocolError("a stage came before the job")
    else:
        say(answers, run(client, message))


def run(client, command):
    stage, mode = command["stage"], command["mode"]
    client.stage_warnings = ()
    client.pv_ends_ns = []
    client.child_cpu_ns = 0
    try:
        work, answer_of = work_of(client, command)
        pvs = len(pvs_meant(client.job, command))
        slow_down = slowdown.of_stage(client.job.slowdown, stage, pvs)
        # A forked process runs an event loop of its own: the fork is outside of it.
        timed = functools.partial(Client.timed, client) if stage == "get-forked" else client.timed
        result, span = timed(work, slow_down)
        span["cpu_ns"] += client.child_cpu_ns
        answer = answer_of(result) if answer_of else {}
        if mode == "serial" and stage in ONE_BY_ONE:
            answer["each_ns"] = differences(span["start_ns"], client.pv_ends_ns)
        if client.stage_warnings:
            answer["warnings"] = list(client.stage_warnings)
        return {"message": "done", "stage": stage, "mode": mode, **span, **answer}
    except StageError as error:
        return {"message": "failed", "stage": stage, "error": str(error)}
    except Ended as error:
        failed = {"message": "failed", "stage": stage, "error": str(error)}
        return {**failed, "ending": error.ending}
    except Exception as error:
        traceback.print_exc()
        return {"message": "failed", "stage": stage, "error": f"{type(error).__name__}: {error}"}


def work_of(client, command):
    """What a command asks for, ready to be timed, and what makes the fields of
    the answer from its result, if there are any."""
    stage, mode = command["stage"], command["mode"]
    pvs = pvs_meant(client.job, command)
    if stage == "import":
        raise StageError("import was over before hello")
    if stage in ("context", "create", "connect"):
        client.is_used = True
    if stage == "context":
        return client.context, None
    if stage == "create":
        client.is_created = True
        return client.create, None
    if stage == "connect" and command.get("absent") is not None:
        check_indices(client.job, command["absent"])
        return lambda: client.connect_without(command["absent"]), lambda unconnected: {
            "unconnected": unconnected
        }
    if stage == "ask":
        if command.get("ask") is None or not is_own(client, "ask"):
            raise StageError("this approach is not asked")
        question = typed.Question(command["ask"], client.job.timeout_s)
        return lambda: client.answer(question), lambda reply: {"reply": reply}
    if stage == "connect":
        return lambda: connect(client, mode), None
    if stage == "put":
        values = values_meant(command, pvs)
        return lambda: client.put(mode, pvs, values), None
    if stage == "put-unconfirmed":
        values = values_meant(command, pvs)
        return lambda: client.put_unconfirmed(pvs, values), None
    if stage == "disconnect":
        return lambda: disconnect(client), None
    if stage == "close":
        return lambda: close(client), None
    if stage == "close-elsewhere":
        return lambda: close_elsewhere(client), None
    if stage == "put-in-callback":
        values = values_meant(command, pvs)
        if client.log is None:
            raise StageError("put-in-callback before subscribe")
        return lambda: client.put_in_callback(pvs, values), None
    if stage in ("subscribe", "subscribe-threads"):
        if command.get("monitor") is None:
            raise StageError("subscribe without `monitor`")
        # Not before: it loads numpy, which belongs to the import of the clients.
        from .update_log import UpdateLog

        client.log = UpdateLog(command["monitor"], len(client.job.pvs))
        if stage == "subscribe-threads":
            return lambda: client.subscribe_in_threads(pvs), None
        return lambda: client.subscribe(mode, pvs), None
    if stage == "collect":
        seconds = command.get("seconds") or 0
        if not 0 <= seconds <= threading.TIMEOUT_MAX:
            raise StageError(f"collect for {seconds} s")
        if client.log is None:
            raise StageError("collect before subscribe")
        client.log.begin_collecting()
        if command.get("gets") is not None:
            return collecting_with_gets(client, seconds, command["gets"])
        return lambda: client.collect(seconds), lambda _: {"updates": updates(client)}
    return reading(client, stage, mode, pvs), lambda values: {
        "values": finite(client.job, pvs, values)
    }


def collecting_with_gets(client, seconds, gets):
    check_indices(client.job, gets["pvs"])
    # Made when the work begins: its clock runs from there.
    meanwhile = []

    def collect():
        meanwhile.append(GetsMeanwhile(seconds, gets))
        return client.collect_with_gets(meanwhile[0])

    return collect, lambda _: {"updates": updates(client), "gets": meanwhile[0].attempts}


def values_meant(command, pvs):
    values = command.get("values") or []
    if len(values) != len(pvs):
        raise StageError(f"{counted(len(values), 'value')} for {counted(len(pvs), 'PV')}")
    return values


def disconnect(client):
    client.is_created = False
    return client.disconnect()


def close(client):
    client.is_closed = True
    return client.close()


def close_elsewhere(client):
    """Closes in a thread that did not make the context."""
    errors = []

    def work():
        try:
            close(client)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def reading(client, stage, mode, pvs):
    if stage in BY_DEFAULT:
        return lambda: client.get_default(pvs)
    if stage == "get-forked":
        return lambda: get_forked(client, pvs)
    if stage == "get-threads":
        return lambda: get_in_threads(client, pvs)
    return lambda: client.get(mode, pvs)


def get_forked(client, pvs):
    is_used = client.is_used
    values, client.child_cpu_ns = in_child(
        lambda: client.get_in_child(pvs, is_used), client.job.timeout_s
    )
    return values


def get_in_threads(client, pvs):
    timeout_s = client.job.timeout_s
    # A library that gives up by itself does not hang.
    with client.time_limit(timeout_s / 2):
        return in_threads(pvs, client.get_in_thread, timeout_s)


def connect(client, mode):
    """Creates the channels of all PVs first, if nobody has asked for that."""
    if mode == "bulk" and "create" in stages_of(client) and not client.is_created:
        client.create()
    return client.connect(mode)


def differences(start_ns, ends_ns):
    """How long each PV took."""
    return [end_ns - begun_ns for begun_ns, end_ns in zip([start_ns, *ends_ns], ends_ns)]


def counted(count, thing):
    """A count of things whose plural ends in s, as `src/units.rs` writes it."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}".replace(",", " ")


def pvs_meant(job, command):
    pvs = command.get("pvs")
    if pvs is None:
        return list(range(len(job.pvs)))
    check_indices(job, pvs)
    return pvs


def check_indices(job, pvs):
    for index in pvs:
        if index >= len(job.pvs):
            raise StageError(f"PV index {index} is not in the job")


def groups(mode, pvs):
    """The PVs that are asked at once, and how many they are with those before."""
    if mode == "bulk":
        return [(len(pvs), pvs)]
    return [(done, [pv]) for done, pv in enumerate(pvs, start=1)]


def updates(client):
    """What arrived, as JSON can write it."""
    taken = client.log.take()
    for run in taken["runs"]:
        if not math.isfinite(run["first"]):
            raise StageError(f"an update of {client.job.pvs[run['pv']]} is {run['first']}")
    return {**taken, "counters": client.counters()}


def finite(job, pvs, values):
    """The values as JSON can write them."""
    values = [float(value) for value in values]
    for pv, value in zip(pvs, values):
        if not math.isfinite(value):
            raise StageError(f"the value of {job.pvs[pv]} is {value}")
    return values


# When the import of a client may have begun.
IMPORTED = Clock()
