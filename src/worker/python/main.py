"""Starts the worker of one Python approach.

    python3 -I -S main.py --site FOLDER APPROACH

FOLDER is where `vendor/python.lock` is installed. With -I -S nothing of the
user's own Python leaks in.
"""

import argparse
import os
import sys

APPROACHES = ("aioca", "caproto", "p4p", "p4p-asyncio", "psp", "pyca", "pyepics")


def main():
    parser = argparse.ArgumentParser(description="worker of one Python approach")
    parser.add_argument("--site", required=True, help="folder with the pinned packages")
    parser.add_argument("approach", choices=APPROACHES)
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [os.path.abspath(arguments.site), here]

    import gauge_worker

    gauge_worker.serve(arguments.approach)


if __name__ == "__main__":
    main()
