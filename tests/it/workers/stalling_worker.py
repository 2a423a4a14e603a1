"""The real worker of pyepics, over a library that stalls in every tenth get.

    stalling_worker.py MAIN --site FOLDER pyepics

MAIN is the `main.py` of the Python workers.
"""

import itertools
import runpy
import sys
import time

STALL_S = 0.03
STALLS_EVERY = 10


def main():
    sys.argv = sys.argv[1:]
    sys.path.insert(0, sys.argv[sys.argv.index("--site") + 1])

    from epics import PV

    numbers = itertools.count(1)
    get = PV.get

    def stalling_get(*arguments, **keywords):
        if next(numbers) % STALLS_EVERY == 0:
            time.sleep(STALL_S)
        return get(*arguments, **keywords)

    PV.get = stalling_get
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
