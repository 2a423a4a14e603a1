"""Starts one Python server.

    python3 -I -S server_main.py --site FOLDER SERVER

FOLDER is where `vendor/python.lock` is installed. With -I -S nothing of the
user's own Python leaks in.
"""

import argparse
import os
import sys


def main():
    parser = argparse.ArgumentParser(description="one Python server")
    parser.add_argument("--site", required=True, help="folder with the pinned packages")
    parser.add_argument("server", help="NAME, whose code is server_NAME.py beside this file")
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    module = "server_" + arguments.server.replace("-", "_")
    if not os.path.exists(os.path.join(here, module + ".py")):
        parser.error(f"there is no server {arguments.server!r}: {here} has no {module}.py")
    sys.path[:0] = [os.path.abspath(arguments.site), here]

    import gauge_server

    gauge_server.run(arguments.server, module)


if __name__ == "__main__":
    main()
