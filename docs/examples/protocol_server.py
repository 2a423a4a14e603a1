"""The server protocol itself, without the package epics_gauge; with p4p.

Its argument is a folder with the Python packages of vendor/python.lock."""

import importlib.metadata
import json
import os
import sys
import threading
import time
import traceback


def main():
    sys.path.insert(0, sys.argv[1])
    server = Server()
    say("hello", protocol=1, server="protocol", pid=os.getpid(),
        versions={"p4p": importlib.metadata.version("p4p")})
    for line in sys.stdin:
        command = json.loads(line)
        do = getattr(server, command.pop("message").replace("-", "_"))
        try:
            answer = do(**command)
        except Exception as error:
            say("failed", error=f"{type(error).__name__}: {error}")
        else:
            say(**answer)
    os._exit(0)  # The end of stdin ends a server, whatever its threads are doing.


class Server:
    def __init__(self):
        from p4p.nt import NTScalar
        from p4p.server import Server
        from p4p.server.thread import SharedPV

        self.library, self.shared_pv, self.nt = Server, SharedPV, NTScalar("d")
        self.thread, self.overruns = None, 0

    def serve(self, pvs, identity, without=None, rate_hz=None):
        self.counts = [0] * pvs
        self.pvs = {index: self.pv(index) for index in range(pvs) if index != without}
        named = {f"gauge:{index}": pv for index, pv in self.pvs.items()}
        server = self.server = self.library([{f"epics-gauge:{identity}": self.pv(1), **named}])
        port = int(server.conf()["EPICS_PVAS_SERVER_PORT"])
        return {"message": "ready", "ports": {"pva": port}}

    def pv(self, value):
        return self.shared_pv(handler=self, nt=self.nt, initial=float(value),
                              timestamp=time.time())

    def put(self, pv, operation):
        """p4p calls this for the put of a client."""
        pv.post(operation.value(), timestamp=time.time())
        operation.done()

    def tick(self):
        for index, pv in self.pvs.items():
            self.counts[index] += 1
            pv.post(float(index + 2**20 * self.counts[index]), timestamp=time.time())
        return {"message": "done"}

    def scan(self, rate_hz):
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.update, args=(1 / rate_hz,), daemon=True)
        self.thread.start()
        return {"message": "done"}

    def update(self, period_s):
        next_s = time.monotonic()
        while True:
            self.tick()
            next_s += period_s  # Absolute times, so that the rate does not drift,
            if next_s < time.monotonic():
                self.overruns += 1
                next_s = time.monotonic()  # but no burst makes up for lost rounds.
            if self.stopping.wait(max(0, next_s - time.monotonic())):
                return

    def stop_scan(self):
        if self.thread:
            self.stopping.set()
            self.thread.join()
            self.thread = None
        return {"message": "done"}

    def made(self):
        return {"message": "made", "counts": self.counts}

    def value(self, pv):
        return {"message": "value", "value": float(self.pvs[pv].current())}

    def counters(self):
        return {"message": "counters", "scan_overruns": self.overruns}


def say(message, **fields):
    print(json.dumps({"message": message, **fields}), flush=True)


try:
    main()
except Exception:
    traceback.print_exc()
    os._exit(65)  # What came on stdin is not of the protocol.
