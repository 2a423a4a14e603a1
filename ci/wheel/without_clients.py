"""Prints the part of a lock file that the tests need which use no client.

    without_clients.py LOCK
"""

import sys

NEEDED = ("execnet", "iniconfig", "packaging", "pluggy", "pygments", "pytest")
NEEDED += ("pytest-asyncio", "pytest-xdist", "typing-extensions")


def main():
    with open(sys.argv[1]) as lock:
        lines = [line for line in lock if not line.lstrip().startswith("#")]
    is_needed = False
    for line in lines:
        if "==" in line:
            is_needed = line.split("==")[0] in NEEDED
        if is_needed:
            print(line, end="")


if __name__ == "__main__":
    main()
