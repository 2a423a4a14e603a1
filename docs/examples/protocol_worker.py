"""The worker protocol itself, without the package epics_gauge; with caproto.

Its argument is a folder with the Python packages of vendor/python.lock."""

import collections
import functools
import importlib
import json
import os
import platform
import queue
import struct
import sys
import threading
import time
import traceback

# One update: PV, monitor, number, sum of a frame's elements, arrival, latency.
NOTE = struct.Struct("=qqdQqq")


def main():
    sys.path.insert(0, sys.argv[1])
    lines = queue.SimpleQueue()
    threading.Thread(target=read_stdin, args=(lines,), daemon=True).start()
    library, span = timed(lambda: importlib.import_module("caproto.threading.client"))
    say("hello", protocol=5, approach="protocol", pid=os.getpid(),
        versions={"python": platform.python_version(), "caproto": library.ca.__version__},
        stages=["context", "connect", "get", "put", "subscribe", "disconnect", "close"],
        modes=["serial", "bulk"],
        **{"import": span})
    client = None
    while True:
        command = json.loads(lines.get())
        if command.pop("message") == "job":
            client = Client(library, **command)
            continue
        try:
            values, span = timed(lambda: client.run(**command))
            answer = {} if values is None else {"values": values}
            if command["stage"] == "collect":
                answer = {"updates": client.updates()}
        except Exception as error:
            say("failed", stage=command["stage"], error=f"{type(error).__name__}: {error}")
        else:
            say("done", stage=command["stage"], mode=command["mode"], **span, **answer)
            if command["stage"] == "close":
                return  # The process ends as any program of the library does.


def read_stdin(lines):
    for line in open(0, closefd=False):  # Not sys.stdin, which Python locks when it ends.
        lines.put(line)
    os._exit(0)  # The end of stdin ends a worker, whatever it is doing.


class Client:
    def __init__(self, library, pvs, timeout_s):
        self.library, self.names, self.timeout_s = library, pvs, timeout_s
        self.pvs, self.callbacks = [], []

    def run(self, stage, mode, pvs=None, values=None, monitor=None, seconds=0):
        pvs = range(len(self.names)) if pvs is None else pvs
        groups = [pvs] if mode == "bulk" else [[pv] for pv in pvs]
        if stage == "context":
            self.context = self.library.Context(timeout=self.timeout_s)
        elif stage == "connect":
            for some in groups:
                new = self.context.get_pvs(*[self.names[pv] for pv in some])
                for pv in new:
                    pv.wait_for_connection()
                self.pvs += new
        elif stage == "put":
            new = dict(zip(pvs, values))
            for some in groups:
                self.ask(some, lambda batch, pv, keep: batch.write(self.pvs[pv], [new[pv]], keep))
        elif stage == "subscribe":
            self.monitor, self.collecting_ns = monitor, 0
            # Written once now, so that noting takes no memory: it would look like a leak.
            self.notes = bytearray(b"\xff" * NOTE.size) * monitor["room"]
            self.noted, self.lock = 0, threading.Lock()
            self.epoch_ns = time.time_ns() - time.monotonic_ns()
            for some in groups:
                self.ask(some, self.subscribe)
        elif stage == "collect":
            self.collecting_ns = time.time_ns()
            time.sleep(seconds)  # The library's threads call back meanwhile.
        elif stage == "disconnect":
            for pv in self.pvs:
                pv.unsubscribe_all()
            for pv in self.pvs:
                pv.go_idle()
            self.pvs, self.callbacks = [], []
        elif stage == "close":
            self.context.disconnect()
        else:  # get, get-again, readback
            answers = {}
            for some in groups:
                answers |= self.ask(some, lambda batch, pv, keep: batch.read(self.pvs[pv], keep))
            return [float(answers[pv].data[0]) for pv in pvs]

    def ask(self, pvs, request):
        """Requests all before it waits for any; returns each PV's first answer."""
        answers, finished = {}, threading.Event()

        def keep(pv, answer):
            answers.setdefault(pv, answer)
            if len(answers) == len(pvs):
                finished.set()

        with self.library.Batch(timeout=self.timeout_s) as batch:
            for pv in pvs:
                request(batch, pv, functools.partial(keep, pv))
        if not finished.wait(self.timeout_s):
            missing = [self.names[pv] for pv in pvs if pv not in answers]
            raise TimeoutError(f"{len(missing)} of {len(pvs)} PVs are silent, first {missing[0]}")
        return answers

    def subscribe(self, _batch, pv, keep):
        """All subscriptions to one PV; its answer is that all have had their first update."""
        silent = set(range(self.monitor["monitors"]))

        def on_update(monitor, _subscription, response):
            arrived_ns = time.time_ns()
            if self.monitor["content"] == "frames":
                pixels = response.data.view(">u2")
                low, high = [*pixels[:2].tolist(), 0, 0][:2]  # It may be empty at first.
                number, total = low + 65536 * high, int(pixels.sum())
            else:
                number, total = float(response.data[0]), 0
            latency_ns = arrived_ns - round(response.metadata.timestamp * 1e9)
            with self.lock:
                if self.noted == len(self.notes):
                    self.notes.extend(bytes(NOTE.size))
                NOTE.pack_into(
                    self.notes, self.noted, pv, monitor, number, total, arrived_ns, latency_ns)
                self.noted += NOTE.size
            silent.discard(monitor)
            if not silent:
                keep(response)

        mask = self.library.ca.SubscriptionType.DBE_VALUE
        for monitor in list(silent):
            callback = functools.partial(on_update, monitor)
            self.callbacks.append(callback)  # The library holds it weakly.
            # Equal requests would share one subscription; servers ignore `to`.
            request = self.pvs[pv].subscribe(data_type="time", mask=mask, to=float(monitor))
            request.add_callback(callback)

    def updates(self):
        with self.lock:
            noted, self.noted = bytes(memoryview(self.notes)[: self.noted]), 0
        runs, latest, latencies = [], {}, collections.Counter()
        for pv, monitor, number, total, arrived_ns, latency_ns in NOTE.iter_unpack(noted):
            run = latest.get((pv, monitor))
            if run is None or number != run["first"] + run["count"] * self.monitor["step"]:
                run = {"pv": pv, "monitor": monitor, "first": number, "count": 0, "sums": [],
                       "start_ns": arrived_ns - self.epoch_ns}
                latest[pv, monitor] = run
                runs.append(run)
            run["count"] += 1
            if self.monitor["content"] == "frames":
                run["sums"].append(total)
            if arrived_ns >= self.collecting_ns:
                latencies[int(float(f"{latency_ns:.3g}"))] += 1
        return {"runs": runs, "latencies": list(latencies.items()), "counters": {}}


def timed(work):
    start_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    result = work()
    return result, {"start_ns": start_ns, "end_ns": time.monotonic_ns(),
                    "cpu_ns": time.process_time_ns() - cpu_ns}


def say(message, **fields):
    print(json.dumps({"message": message, **fields}), flush=True)


try:
    main()
except Exception:
    traceback.print_exc()
    os._exit(65)  # What came on stdin is not of the protocol.
