"""The platform tag of a wheel against what the programs inside it need.

    tag.py WHEEL

A wheel is tagged by the libraries and the versions of glibc that its files ask for. This one's
program carries others, which it unpacks when it runs: they count too.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Libraries that manylinux (PEP 600) expects on every system.
EXPECTED = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libdl.so.2"}
EXPECTED |= {"libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# The newest libstdc++ that comes with the oldest systems of a glibc: GLIBCXX_3.4.N.
GLIBCXX = {(2, 17): 19, (2, 24): 22, (2, 26): 24, (2, 28): 24, (2, 31): 28, (2, 34): 29}
GLIBCXX |= {(2, 35): 30, (2, 36): 30, (2, 38): 31, (2, 39): 33, (2, 41): 34}


class Wrong(Exception):
    """What is wrong with a wheel."""


def check(tag, needs):
    """Raises Wrong unless the tag is what the files need. `needs` has, by the name of a file,
    the output of readelf about it."""
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)_(x86_64|aarch64)", tag)
    if not found:
        raise Wrong(f"the tag {tag} is none of manylinux: pip installs it on this machine only")
    tagged = (int(found[1]), int(found[2]))
    newest = max(newest_of("GLIBC", text) for text in needs.values())
    for name, text in needs.items():
        glibc = newest_of("GLIBC", text)
        if glibc > tagged:
            raise Wrong(f"{name} needs GLIBC {dotted(glibc)}, and the tag says {dotted(tagged)}")
        libraries = set(re.findall(r"Shared library: \[(.+?)\]", text))
        if libraries - EXPECTED:
            raise Wrong(f"{name} needs {', '.join(sorted(libraries - EXPECTED))}")
        there = max((its for its in GLIBCXX if its <= tagged), default=None)
        glibcxx = newest_of("GLIBCXX", text)
        if glibcxx and (there is None or glibcxx[-1] > GLIBCXX[there]):
            raise Wrong(
                f"{name} needs GLIBCXX {dotted(glibcxx)}, and systems with glibc "
                f"{dotted(tagged)} may have an older one"
            )
    if newest < tagged:
        raise Wrong(f"nothing needs more than GLIBC {dotted(newest)}, and the tag says {tag}")
    return newest


def newest_of(what, text):
    """The newest version of a library's symbols in readelf's output, as numbers."""
    versions = re.findall(rf"\bName: {what}_([\d.]+)", text)
    return max((tuple(map(int, version.split("."))) for version in versions), default=())


def dotted(version):
    return ".".join(map(str, version))


def programs(wheel, folder):
    """Unpacks the wheel and lets its program unpack others; all of them."""
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    (program,) = Path(folder).glob("*.data/scripts/epics-gauge")
    program.chmod(0o755)
    cache = Path(folder) / "cache"
    subprocess.run(
        [program, "ioc", "--pvs", "1", "--", "true"],
        env={**os.environ, "EPICS_GAUGE_CACHE": str(cache)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    inside = [path for path in cache.glob("tools-*/*") if is_elf(path)]
    if len(inside) < 3:
        raise Wrong(f"the program of the wheel has unpacked {len(inside)} programs only")
    return [program, *inside]


def is_elf(path):
    return path.is_file() and path.open("rb").read(4) == b"\x7fELF"


def readelf(path):
    ran = subprocess.run(
        ["readelf", "-V", "-d", "-W", path], check=True, stdout=subprocess.PIPE, text=True
    )
    return ran.stdout


def main():
    wheel = Path(sys.argv[1])
    tag = wheel.stem.rsplit("-", 1)[-1]
    if tag.startswith("macosx"):
        print(f"{wheel.name}: tags of macOS are not checked")
        return
    with tempfile.TemporaryDirectory() as folder:
        needs = {path.name: readelf(path) for path in programs(wheel, folder)}
    try:
        newest = check(tag, needs)
    except Wrong as error:
        sys.exit(f"{wheel.name}: {error}")
    size = wheel.stat().st_size / 1e6
    print(f"{wheel.name}: {size:.1f} MB; {', '.join(needs)} need glibc {dotted(newest)}")


if __name__ == "__main__":
    main()
