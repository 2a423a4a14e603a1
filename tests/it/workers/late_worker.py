"""The real worker of pyepics, over a library that is late with two updates of the last PV.

    late_worker.py MAIN --site FOLDER pyepics

MAIN is the `main.py` of the Python workers.
"""

import itertools
import runpy
import sys
import time

# The server updates it last, so no other PV waits for it.
LATE_PV = "gauge:9"
LATE_UPDATES = (4, 5)
LATE_S = 0.3


def main():
    sys.argv = sys.argv[1:]
    sys.path.insert(0, sys.argv[sys.argv.index("--site") + 1])

    from epics import PV

    add_callback = PV.add_callback

    def late(callback):
        numbers = itertools.count()

        def late_callback(**keywords):
            if next(numbers) in LATE_UPDATES:
                time.sleep(LATE_S)
            return callback(**keywords)

        return late_callback

    def add_late_callback(pv, callback=None, **keywords):
        if pv.pvname == LATE_PV and callback is not None:
            callback = late(callback)
        return add_callback(pv, callback, **keywords)

    PV.add_callback = add_late_callback
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
