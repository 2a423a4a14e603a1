"""A worker that lies, breaks or dies: the real `wire` worker behind a proxy.

    tampering_worker.py HOW NAME GAUGE

GAUGE is the epics-gauge program, NAME the approach to say hello as, and HOW one
of the methods of `Tampering` below. When the file named by TAMPERING_SIGN is
set, it is made as soon as the tampering begins.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

FOREVER_S = 3600
NOISE_BYTES = 1 << 20
# One update of so many is lost, counted for each subscription.
LOST_EVERY = 50
LEAK_BYTES = 400_000
LEAK_EVERY_S = 0.1
SLOW_S = 0.4
HIDDEN_S = 0.8
BURNT_S = 0.4


def main():
    how, name, gauge = sys.argv[1:]
    worker = Worker(gauge)
    tampering = Tampering(worker)
    tamper = getattr(tampering, how.replace("-", "_"))
    hello = worker.answer()
    hello.update(approach=name, pid=os.getpid())
    say(tamper("hello", {}, lambda: hello))
    for line in sys.stdin:
        command = json.loads(line)
        if command["message"] == "job":
            worker.tell(command)
            tampering.pvs = command["pvs"]
        else:
            if command.get("monitor"):
                tampering.monitor = command["monitor"]
            say(tamper(command["stage"], command, lambda: worker.ask(command)))
    tamper("end", {}, lambda: None)


class Worker:
    """The honest worker."""

    def __init__(self, gauge):
        self.process = subprocess.Popen(
            [gauge, "worker", "wire"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, command):
        print(json.dumps(command), file=self.process.stdin, flush=True)

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, command):
        self.tell(command)
        return self.answer()


class Tampering:
    """Each method gets the stage (or hello, or end), the command and how to have
    it answered honestly; it returns the answer."""

    def __init__(self, worker):
        self.worker = worker
        self.pvs = []
        self.kept = None
        # What the subscriptions are to bring.
        self.monitor = None
        self.leaked = []

    def honest(self, stage, command, answer):
        return answer()

    def slow_at_connect(self, stage, command, answer):
        answered = answer()
        if stage == "connect":
            time.sleep(SLOW_S)
            answered["end_ns"] += int(SLOW_S * 1e9)
        return answered

    def crash_at_get(self, stage, command, answer):
        if stage == "get":
            begin()
            print("the library met its end", file=sys.stderr, flush=True)
            os._exit(3)
        return answer()

    def die_of_a_signal_at_connect(self, stage, command, answer):
        if stage == "connect":
            begin()
            os.kill(os.getpid(), signal.SIGSEGV)
        return answer()

    def hang_at_connect(self, stage, command, answer):
        if stage == "connect":
            print("waiting for what never comes", file=sys.stderr, flush=True)
            begin()
            time.sleep(FOREVER_S)
        return answer()

    def garbage_at_get(self, stage, command, answer):
        return answer() if stage != "get" else '{"message": "done", "stage": "get", '

    def wrong_value(self, stage, command, answer):
        """In the middle of a bulk get."""
        answered = answer()
        if stage == "get" and command["mode"] == "bulk":
            answered["values"][7] += 0.5
        return answered

    def swapped_values(self, stage, command, answer):
        answered = answer()
        if stage == "get" and command["mode"] == "bulk":
            values = answered["values"]
            values[3], values[4] = values[4], values[3]
        return answered

    def halves_its_spans(self, stage, command, answer):
        """A slow library that would look twice as fast."""
        answered = answer()
        if stage == "connect":
            begun_ns = time.monotonic_ns()
            time.sleep(HIDDEN_S)
            answered["end_ns"] += time.monotonic_ns() - begun_ns
        if stage not in ("hello", "end"):
            answered["end_ns"] -= (answered["end_ns"] - answered["start_ns"]) // 2
        return answered

    def claims_half_its_cpu(self, stage, command, answer):
        return self.burns(stage, answer, lambda cpu_ns: cpu_ns // 2)

    def claims_no_cpu(self, stage, command, answer):
        return self.burns(stage, answer, lambda cpu_ns: 0)

    def claims_more_cpu(self, stage, command, answer):
        return self.burns(stage, answer, lambda cpu_ns: cpu_ns * 2)

    def claims_its_cpu(self, stage, command, answer):
        return self.burns(stage, answer, lambda cpu_ns: cpu_ns)

    def burns(self, stage, answer, claim):
        """Takes CPU time inside of the span of `connect`, and claims `claim` of it."""
        answered = answer()
        if stage == "connect":
            begun_ns, burnt_ns = time.monotonic_ns(), time.process_time_ns()
            while time.process_time_ns() - burnt_ns < BURNT_S * 1e9:
                pass
            answered["cpu_ns"] = claim(answered["cpu_ns"] + time.process_time_ns() - burnt_ns)
            answered["end_ns"] += time.monotonic_ns() - begun_ns
        return answered

    def loses_updates(self, stage, command, answer):
        """As a library would whose queue is too short; it tells no latencies of
        what it lost."""
        def lose(updates):
            numbered = enumerate(updates, start=1)
            return [update for number, update in numbered if number % LOST_EVERY]

        return self.tampered_updates(stage, answer, lose, self.every_subscription())

    def tears_a_frame(self, stage, command, answer):
        def tear(updates):
            middle = len(updates) // 2
            number, start_ns, total = updates[middle]
            return [*updates[:middle], (number, start_ns, total + 1), *updates[middle + 1 :]]

        return self.tampered_updates(stage, answer, tear)

    def starves_a_monitor(self, stage, command, answer):
        """The last subscription to the first PV gets its first update only, as it
        would from a library that hands updates to one of several callbacks."""
        subscription = (0, self.monitor["monitors"] - 1) if self.monitor else None
        return self.tampered_updates(stage, answer, lambda updates: updates[:1], [subscription])

    def leaks(self, stage, command, answer):
        """4 MB a second while it collects, in this process: its pid is in hello."""
        if stage != "collect":
            return answer()
        finished = threading.Event()

        def leak():
            while not finished.wait(LEAK_EVERY_S):
                self.leaked.append(b"\xff" * LEAK_BYTES)

        leaking = threading.Thread(target=leak)
        leaking.start()
        answered = answer()
        finished.set()
        leaking.join()
        return answered

    def tampered_updates(self, stage, answer, change, subscriptions=((0, 0),)):
        """`change` gets and returns the updates of one subscription, named by its PV
        and its monitor, in the order of arrival, each as number, time and sum."""
        answered = answer()
        if stage == "collect":
            runs = answered["updates"]["runs"]
            step = self.monitor["step"]
            for subscription in subscriptions:
                updates = change(updates_of(subscription, runs, step))
                runs = [run for run in runs if subscription_of(run) != subscription]
                runs += runs_of(subscription, updates, step)
            answered["updates"]["runs"] = runs
            answered["updates"]["latencies"] = as_many(answered["updates"])
            # It would count more updates than are left.
            del answered["updates"]["latency_over_time"]
        return answered

    def every_subscription(self):
        monitors = self.monitor["monitors"] if self.monitor else 0
        return [(pv, monitor) for monitor in range(monitors) for pv in range(len(self.pvs))]

    def noisy_stderr(self, stage, command, answer):
        if stage in ("hello", "end"):
            for number in range(NOISE_BYTES // 64):
                print(f"{stage} {number:>6} ".ljust(63, "."), file=sys.stderr)
            print(f"the last words at {stage}", file=sys.stderr, flush=True)
        return answer()

    def ends_stdin_ignored(self, stage, command, answer):
        if stage == "end":
            begin()
            time.sleep(FOREVER_S)
        return answer()

    def kill_ioc_at_get(self, stage, command, answer):
        if stage == "get":
            begin()
            os.kill(ioc_pid(), signal.SIGKILL)
        return answer()

    def kill_ioc_after_connect(self, stage, command, answer):
        """The worker is honest and well; the harness meets the dead IOC."""
        answered = answer()
        if stage == "connect":
            begin()
            os.kill(ioc_pid(), signal.SIGKILL)
        return answered


def subscription_of(run):
    return run["pv"], run.get("monitor", 0)


def updates_of(subscription, runs, step):
    """The updates of one subscription, each as number, time of its run and sum."""
    return [
        (run["first"] + at * step, run["start_ns"], run["sums"][at] if "sums" in run else None)
        for run in runs
        if subscription_of(run) == subscription
        for at in range(run["count"])
    ]


def runs_of(subscription, updates, step):
    pv, monitor = subscription
    runs = []
    for number, start_ns, total in updates:
        if not runs or number != runs[-1]["first"] + runs[-1]["count"] * step:
            runs.append({"pv": pv, "monitor": monitor, "first": number, "count": 0,
                         "start_ns": start_ns})
        runs[-1]["count"] += 1
        if total is not None:
            runs[-1].setdefault("sums", []).append(total)
    return runs


def as_many(updates):
    """The latencies, not more of them than updates."""
    room = sum(run["count"] for run in updates["runs"])
    latencies = []
    for latency, count in updates["latencies"]:
        latencies.append([latency, min(count, room)])
        room -= min(count, room)
    return [pair for pair in latencies if pair[1]]


def ioc_pid():
    """The process that listens on this IOC's port of loopback; no other."""
    port = int(os.environ["EPICS_CA_SERVER_PORT"])
    listening = "0A"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"0100007F:{port:04X}" and fields[3] == listening:
            socket = f"socket:[{fields[9]}]"
            return next(pid for pid in processes() if socket in open_files(pid))
    raise RuntimeError(f"nobody listens on 127.0.0.1:{port}")


def processes():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def open_files(pid):
    folder = f"/proc/{pid}/fd"
    try:
        if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() != "softIoc":
            return []
        return [os.readlink(f"{folder}/{number}") for number in os.listdir(folder)]
    except OSError:
        return []


def begin():
    if sign := os.environ.get("TAMPERING_SIGN"):
        pathlib.Path(sign).touch()


def say(message):
    print(message if isinstance(message, str) else json.dumps(message), flush=True)


main()
