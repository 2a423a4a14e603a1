"""What there is to say of a package whose version the user chose: it runs beside
packages that were pinned for another version of it."""

import re
from importlib import metadata

# How a requirement begins.
NAME = re.compile(r"[A-Za-z0-9._-]+")


def warnings(package):
    """What a reader of the figures should know; `package` is None when none was
    chosen."""
    if package is None:
        return []
    return [
        f"{package} {metadata.version(package)} was chosen by its version: its files are not "
        "pinned by hash, and what it needs is that of the pinned packages"
    ]


def misfit(package, error):
    """Why a package that cannot be imported does perhaps not fit, in one line."""
    asks = [text for text in metadata.requires(package) or [] if "extra ==" not in text]
    there = [version_there(NAME.match(text).group()) for text in asks]
    return (
        f"{package} {metadata.version(package)} cannot be used with the pinned packages beside "
        f"it ({type(error).__name__}: {error}). It asks for {', '.join(asks) or 'nothing'}; "
        f"there is {', '.join(there) or 'nothing that it lacks'}. Choose a version that fits, or "
        "make an approach of your own with a Python environment of its own "
        "(docs/adding-an-approach.md)"
    )


def version_there(package):
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"
