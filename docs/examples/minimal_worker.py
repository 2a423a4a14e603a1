"""A complete worker of epics-gauge: caproto, one PV at a time.

Its argument is a folder with the Python packages of vendor/python.lock."""

import importlib
import json
import os
import platform
import queue
import sys
import threading
import time
import traceback


def main():
    sys.path.insert(0, sys.argv[1])
    lines = queue.SimpleQueue()
    threading.Thread(target=read_stdin, args=(lines,), daemon=True).start()
    library, span = timed(lambda: importlib.import_module("caproto.threading.client"))
    say("hello", protocol=1, approach="minimal", pid=os.getpid(),
        versions={"python": platform.python_version(), "caproto": library.ca.__version__},
        stages=["context", "connect", "get", "put"], modes=["serial"], **{"import": span})
    client = None
    while True:
        command = json.loads(lines.get())
        if command.pop("message") == "job":
            client = Client(library, **command)
            continue
        try:
            values, span = timed(lambda: client.run(**command))
        except Exception as error:
            say("failed", stage=command["stage"], error=f"{type(error).__name__}: {error}")
        else:
            read = {} if values is None else {"values": values}
            say("done", stage=command["stage"], mode=command["mode"], **span, **read)


def read_stdin(lines):
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)  # The end of stdin ends a worker, whatever it is doing.


class Client:
    def __init__(self, library, pvs, timeout_s):
        self.library, self.names, self.timeout_s, self.pvs = library, pvs, timeout_s, []

    def run(self, stage, mode, pvs=None, values=None):
        pvs = range(len(self.names)) if pvs is None else pvs
        if stage == "context":
            self.context = self.library.Context(timeout=self.timeout_s)
        elif stage == "connect":
            for name in self.names:
                self.pvs += self.context.get_pvs(name)
                self.pvs[-1].wait_for_connection()
        elif stage == "put":
            for pv, value in zip(pvs, values):
                self.pvs[pv].write([value], wait=True)
        else:  # get, get-again, readback
            return [float(self.pvs[pv].read().data[0]) for pv in pvs]


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
