"""Records of a database file for servers that are no EPICS IOC: what a record begins with, and the
shell commands `dbpf` and `dbgf`. Records with texts that are not UTF-8 are left out.

Only what such a server needs: `record`, `field`, with the types of `KINDS`.
"""

import json
import re
import shlex

from .loop import ServerError

RECORD = re.compile(r'record\(\s*(\w+)\s*,\s*"([^"]*)"\s*\)')
FIELD = re.compile(r'field\(\s*(\w+)\s*,\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\])\s*\)')
# The names of states of an mbbo record.
STATES = ("ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF")
# The fields of states.
STATE_FIELDS = ("ZNAM", "ONAM", *(state + end for state in STATES for end in ("VL", "ST")))
# The kind of value of each record type; a waveform has that of its FTVL.
KINDS = {
    "ao": "double",
    "ai": "double",
    "longout": "int",
    "int64out": "long",
    "stringout": "string",
    "bo": "enum",
    "mbbo": "enum",
}
ELEMENTS = {
    "CHAR": "byte",
    "UCHAR": "ubyte",
    "SHORT": "short",
    "USHORT": "ushort",
    "LONG": "int",
    "ULONG": "uint",
    "INT64": "long",
    "UINT64": "ulong",
    "FLOAT": "float",
    "DOUBLE": "double",
    "STRING": "string",
}
# What `dbgf` calls them.
NAMES = {
    "byte": "CHAR", "ubyte": "UCHAR", "short": "SHORT", "ushort": "USHORT", "int": "LONG",
    "uint": "ULONG", "long": "INT64", "ulong": "UINT64", "float": "FLOAT", "double": "DOUBLE",
    "string": "STRING", "enum": "STRING",
}


class Record:
    """One record. `kind` is that of its value or of its elements, `length` the most elements of
    an array, or None."""

    def __init__(self, record_type, name, fields):
        self.name = name
        self.fields = fields
        is_array = record_type == "waveform"
        self.kind = ELEMENTS[fields["FTVL"]] if is_array else KINDS[record_type]
        self.length = int(fields.get("NELM", "1")) if is_array else None
        if record_type == "bo":
            self.choices = [fields.get("ZNAM", ""), fields.get("ONAM", "")]
        else:
            states = [fields.get(f"{state}ST", "") for state in STATES]
            last = max((at for at, state in enumerate(states) if state), default=-1)
            self.choices = states[: last + 1]

    def number(self, field, default=0.0):
        """A field that holds a number."""
        return float(self.fields.get(field, default))

    def initial(self):
        """The value that it begins with."""
        if self.length is not None:
            return self.read(self.fields.get("INP", "[]"))
        return self.read(self.fields.get("VAL", "" if self.kind == "string" else "0"))

    def read(self, text):
        """The value that a text stands for."""
        if self.length is not None:
            return [self.element(one) for one in elements(text)][: self.length]
        if self.kind == "enum" and text in self.choices:
            return self.choices.index(text)
        return self.element(text)

    def element(self, text):
        if self.kind == "string":
            return str(text)
        return float(text) if self.kind in ("double", "float") else int(text)

    def shown(self, value):
        """What `dbgf` prints of a value."""
        if self.kind == "enum":
            texts = [quoted(self.choices[int(value)])]
        elif self.length is not None:
            texts = [self.shown_element(one) for one in value]
        else:
            texts = [self.shown_element(value)]
            if self.kind not in ("string", "double", "float"):
                bits = 64 if self.kind in ("long", "ulong") else 32
                texts.append(f"= 0x{int(value) % (1 << bits):x}")
        return f"DBF_{NAMES[self.kind]}: {' '.join(texts)}"

    def shown_element(self, value):
        if self.kind == "string":
            return quoted(value)
        return f"{value:.15g}" if self.kind in ("double", "float") else str(int(value))


def elements(text):
    """The elements of an array as a database writes it."""
    words = {"NaN": float("nan"), "Infinity": float("inf")}
    return [words.get(one, one) for one in json.loads(text)]


def quoted(text):
    """A string as EPICS Base prints it: bytes that are no ASCII are escaped."""
    data = text.encode("utf-8", "surrogateescape")
    letters = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data]
    return '"' + "".join(letters) + '"'


def unescaped(text):
    """A quoted text of a database, whose escapes are bytes."""
    data = text[1:-1].encode("utf-8").decode("unicode_escape").encode("latin-1")
    return data.decode("utf-8", "surrogateescape")


def records_of(text, types, fields):
    """The records of a database that have one of `types` and no field but `fields`, by name.

    Others are left out: the harness asks for none of them."""
    begun = list(RECORD.finditer(text))
    ends = [one.start() for one in begun[1:]] + [len(text)]
    found = {}
    for one, end in zip(begun, ends):
        body = text[one.end() : end]
        has = {
            name: unescaped(value) if value.startswith('"') else value
            for name, value in FIELD.findall(body)
        }
        is_whole = "alias(" not in body and "info(" not in body
        # A byte that is no UTF-8 is a surrogate here.
        is_text = not any("\udc80" <= letter <= "\udcff" for value in has.values() for letter in value)
        if one[1] in types and is_whole and is_text and set(has) <= set(fields):
            found[one[2]] = Record(one[1], one[2], has)
    return found


class Shell:
    """The commands of the IOC's shell, over `get(record)` and `put(record, value)` of a server."""

    def __init__(self, records, get, put):
        self.records = records
        self.get = get
        self.put = put

    def run(self, command):
        words = shlex.split(command)
        record = self.records.get(words[1].removesuffix(".VAL")) if len(words) > 1 else None
        if record is None:
            raise ServerError(f"there is no record for `{command}`")
        if words[0] == "dbpf" and len(words) == 3:
            self.put(record, record.read(words[2]))
        elif words[0] != "dbgf":
            raise ServerError(f"this server has no command {words[0]}")
        return record.shown(self.get(record))
