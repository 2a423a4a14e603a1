"""Starts one Python server.

    python3 -I -S server_main.py --site FOLDER SERVER

FOLDER is where `vendor/python.lock` is installed. With -I -S nothing of the
user's own Python leaks in.
"""

import argparse
import os
import sys

SERVERS = ("caproto-ioc", "p4p-server", "python-softioc", "python-softioc-calc")


def main():
    parser = argparse.ArgumentParser(description="one Python server")
    parser.add_argument("--site", required=True, help="folder with the pinned packages")
    parser.add_argument("server", choices=SERVERS)
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [os.path.abspath(arguments.site), here]

    import gauge_server

    gauge_server.run(arguments.server)


if __name__ == "__main__":
    main()
