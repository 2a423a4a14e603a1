"""Starts the worker of one Python approach.

    python3 -I -S main.py --site FOLDER [--chosen FOLDER PACKAGE] APPROACH

The first FOLDER is where `vendor/python.lock` is installed, the second one where a
PACKAGE is installed that goes before the one of that name there. With -I -S nothing of the
user's own Python leaks in.
"""

import argparse
import os
import sys


def main():
    parser = argparse.ArgumentParser(description="worker of one Python approach")
    parser.add_argument("--site", required=True, help="folder with the pinned packages")
    parser.add_argument("--chosen", nargs=2, metavar=("FOLDER", "PACKAGE"))
    parser.add_argument("approach", help="NAME, whose code is client_NAME.py beside this file")
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    client = "client_" + arguments.approach.replace("-", "_")
    if not os.path.exists(os.path.join(here, client + ".py")):
        parser.error(f"there is no approach {arguments.approach!r}: {here} has no {client}.py")
    sites, package = [arguments.site], None
    if arguments.chosen is not None:
        folder, package = arguments.chosen
        sites.insert(0, folder)
    sys.path[:0] = [*map(os.path.abspath, sites), here]

    import gauge_worker

    gauge_worker.serve(arguments.approach, client, package)


if __name__ == "__main__":
    main()
