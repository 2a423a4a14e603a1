"""Fails when a process is there that has a variable with a value in its environment.

    left_over.py NAME VALUE
"""

import os
import sys
import time

# A process that was just stopped.
PATIENCE_S = 10


def processes_with(name, value):
    """Their command lines by their ids; none of this process."""
    wanted = f"{name}={value}".encode()
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                has_it = wanted in file.read().split(b"\0")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        # A zombie has no command line.
        if has_it and command and int(pid) not in ancestors():
            found[int(pid)] = command
    return found


def ancestors():
    """This process and those above it: the script that runs the tests."""
    pid, found = os.getpid(), set()
    while pid > 0:
        found.add(pid)
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])
    return found


def main():
    name, value = sys.argv[1:]
    end = time.monotonic() + PATIENCE_S
    while processes_with(name, value) and time.monotonic() < end:
        time.sleep(0.2)
    left = processes_with(name, value)
    for pid, command in left.items():
        print(f"left over: {pid} {command}", file=sys.stderr)
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
