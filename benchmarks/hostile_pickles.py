"""Hostile pickles: thousands of damaged ones and attacks by hand, read as a table of a package is.

    python benchmarks/hostile_pickles.py --pickles 10000

Every one must end as a value or as one sentence. Lost are those that end the reader: by a signal, by its
limits of time and memory, or in any other way that is no answer.
"""

import argparse
import json
import pickle  # writes what is read, and reads nothing  # nosec B403
import random
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from harness.data.foreign.confined import Confined
from harness.data.foreign.pickles import answer
from harness.errors import DataUnavailableError

CLASS = f"{__name__}.Net"
NDARRAY = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00%s\x89\x88tR"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
NET = f"c{CLASS.replace('.Net', '')}\nNet\n".encode()
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
STATE = b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
FLOATS = DTYPE % b"f8" + STATE
VALUE = b"}K\x01"
"""A mapping of one key, whose value follows."""


class Net:
    """What a card may name as a class of its package."""

    def __init__(self, score: float) -> None:
        self.score = score


@dataclass
class Counts:
    """What became of the pickles; `lost` holds those that ended the reader, by their numbers."""

    tried: int = 0
    values: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0


def seeds() -> list[bytes]:
    """Returns valid pickles of tables, of every protocol."""
    net = {"score": 0.5, "cost": np.float32(2.5), "name": "gat", "row": (1, 2), "kinds": {3, 4}, "none": None}
    tables: list[Any] = [
        {number: {**net, "seed": number} for number in range(20)},
        {(0, number): Net(number / 7) for number in range(9)},
        {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3, dtype="i2"))},
        {"a": np.float64(1.0), "b": np.int64(7), "c": np.bool_(True), "d": np.str_("text"), "e": b"bytes"},
        {f"net {number}": {"perf": {"mean": number, "all": [0.1, 0.2]}} for number in range(9)},
    ]
    return [pickle.dumps(table, protocol) for table in tables for protocol in range(5)]


def attacks() -> dict[str, bytes]:
    """Returns attacks; half of them crash or stop Python's own unpickler where it may call numpy."""
    return {**_of_arrays(), **_of_types(), **_of_containers(), **_of_opcodes()}


def mutated(draw: random.Random, valid: list[bytes]) -> bytes:
    """Returns one of the valid pickles with flips, cuts, splices and opcodes where none belong."""
    data = bytearray(draw.choice(valid))
    for _ in range(draw.choice((1, 1, 1, 1, 2, 4, 8))):
        at = draw.randrange(len(data)) if data else 0
        kind = draw.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and data:
            data[at] = draw.randrange(256)
        elif kind == 2:
            del data[at : at + draw.randrange(1, 40)]
        elif kind == 3:
            other = draw.choice(valid)
            start = draw.randrange(len(other))
            data[at:at] = other[start : start + draw.randrange(1, 60)]
        elif kind == 4:
            data[at:at] = draw.choice(OPCODES)
        elif draw.random() < 0.2:
            del data[at:]
    return bytes(data)


OPCODES = [
    *(bytes([code]) for code in b"().012abcdegh}]lostuRbQ\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"),
    *(b"r\xff\xff\xff\x7f", b"q\x07", b"h\x00", b"K\xff", b"J\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f"),
    *(b"\x8e\xff\xff\xff\xff\x00\x00\x00\x00", b"\x96\xff\xff\xff\xff\x0f\x00\x00\x00", b"B\xff\xff\xff\x7f"),
    *(NDARRAY, b"cbuiltins\nset\n", b"cos\nsystem\n", b"\x97", b"\x98", b"\x82\x01", DTYPE % b"O8", b"i\n\n"),
]


def pickles(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes): the attacks, and mutated seeds and attacks until there are `count`."""
    known = attacks()
    yield from known.items()
    draw = random.Random(seed)
    valid, hostile = seeds(), [attack for attack in known.values() if len(attack) < 10_000]
    for number in range(len(known), count):
        yield f"mutation {number}", mutated(draw, hostile if draw.random() < 0.2 else valid)


def read_all(count: int, seed: int = 0, kept: Path | None = None) -> Counts:
    """Returns what became of so many pickles, read by one child in turn; a folder keeps the lost ones."""
    counts = Counts()
    with closing(Confined(answer)) as child:
        for name, data in pickles(count, seed):
            counts.tried += 1
            started = perf_counter()
            try:
                told = json.loads(child.ask(json.dumps([name, CLASS]).encode() + b"\n" + data, name))
            except DataUnavailableError as error:
                counts.lost.append(str(error))
                if kept is not None:
                    (kept / f"{name}.pickle").write_bytes(data)
            else:
                counts.refused += isinstance(told, str)
                counts.values += not isinstance(told, str)
                counts.memory = max(counts.memory, peak(child))
            counts.slowest = max(counts.slowest, perf_counter() - started)
    return counts


def peak(child: Confined) -> int:
    """Returns the most memory that the child ever had, in MiB; 0 where the system does not say."""
    status = Path(f"/proc/{child.process.pid}/status") if child.process else Path("none")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), 0)


def _of_arrays() -> dict[str, bytes]:
    """Returns arrays of buffers, addresses, shapes and sizes of their choice."""
    shape = struct.pack("<q", 10**9)
    number = b"(K\x01" + _long(shape) + b"t"
    return {
        "array with a buffer of its choice": b"}K\x01"
        + NDARRAY
        + b"(K\x01\x85"
        + FLOATS
        + b"C\x08AAAAAAAAtRs.",
        "object at an address of its choice": b"}K\x01"
        + NDARRAY
        + b"(K\x01\x85"
        + DTYPE % b"O8"
        + b"C\x08AAAAAAAAtRs.",
        "object in a number": VALUE + SCALAR + b"(" + DTYPE % b"O8" + b"C\x08AAAAAAAAtRs.",
        "array made by its class": b"\x80\x02}K\x01" + NDARRAY + _long(shape) + b"\x85\x85\x81s.",
        "array larger than its data": VALUE
        + RECONSTRUCT
        + number.replace(b"t", b"\x85", 1)
        + FLOATS
        + b"\x89C\x08AAAAAAAAtbs.",
        "array of a billion of nothing": VALUE
        + RECONSTRUCT
        + b"(K\x01("
        + _long(shape)
        + b"K\x00t"
        + FLOATS
        + b"\x89C\x00tbs.",
        "array of a negative size": VALUE
        + RECONSTRUCT
        + b"(K\x01J\xff\xff\xff\xff\x85"
        + FLOATS
        + b"\x89C\x00tbs.",
        "array of a billion dimensions": VALUE
        + RECONSTRUCT
        + b"(K\x01("
        + b"K\x01" * 1000
        + b"t"
        + FLOATS
        + b"\x89C\x08AAAAAAAAtbs.",
        "an array of another start": VALUE + RECONSTRUCT.replace(b"K\x00t", b"K\x05t") + b"s.",
        "an array without its state": VALUE + RECONSTRUCT + b"s.",
        "an array without its type": VALUE + RECONSTRUCT + b"(K\x01)K\x05\x89C\x08AAAAAAAAtbs.",
    }


def _of_types() -> dict[str, bytes]:
    """Returns numpy's types and numbers with states that none has."""
    fields = (
        b"(K\x03X\x01\x00\x00\x00|N(X\x01\x00\x00\x00at}X\x01\x00\x00\x00a("
        + FLOATS
        + b"J\x00\x00\x00\x7ftsK\x08K\x01K\x10tb"
    )
    return {
        "field outside of its item": VALUE + SCALAR + b"(" + DTYPE % b"V8" + fields + b"C\x08AAAAAAAAtRs.",
        "type of another size": VALUE
        + SCALAR
        + b"("
        + DTYPE % b"f8"
        + STATE.replace(b"J\xff\xff\xff\xffJ", b"K\x63J")
        + b"C\x08AAAAAAAAtRs.",
        "text of a gigabyte": VALUE
        + SCALAR
        + b"(cnumpy\ndtype\n(X\x0b\x00\x00\x00S1000000000\x89\x88tRC\x01atRs.",
        "the state of a number": VALUE + SCALAR + b"(" + FLOATS + b"C\x08AAAAAAAAtR}bs.",
        "a number without its type": VALUE + SCALAR + b"(K\x05C\x08AAAAAAAAtRs.",
        "a number of an array": VALUE + SCALAR + b"(" + FLOATS + b"]tRs.",
        "a number of three things": VALUE + SCALAR + b"(" + FLOATS + b"K\x01K\x02tRs.",
        "a type without a name": VALUE + SCALAR + b"(cnumpy\ndtype\n)RC\x08AAAAAAAAtRs.",
        "a type with a state of its own": VALUE + SCALAR + b"(" + DTYPE % b"f8" + b"]bC\x08AAAAAAAAtRs.",
        "a text of no bytes": VALUE + SCALAR + b"(" + DTYPE % b"S0" + b"C\x00tRs.",
        "a type itself": b"}K\x01" + FLOATS + b"s.",
        "the classes of numpy": b"}K\x01cnumpy\nndarray\ns.",
        "state twice": b"}K\x01" + DTYPE % b"f8" + STATE + STATE + b"s.",
    }


def _of_containers() -> dict[str, bytes]:
    """Returns containers that are hashed, walked or written for ever."""
    deep = 200_000
    twice = b"K\x01\x85" + b"2\x86" * 60
    twice_list = b"]" + b"2\x86" * 60
    return {
        "key that is hashed for ever": b"}" + twice + b"K\x01s.",
        "set that is hashed for ever": b"\x80\x04}K\x01\x8f(" + twice + b"\x90s.",
        "value that is written for ever": b"}K\x01" + twice_list + b"s.",
        "mappings that are written for ever": _doubled(60),
        "mapping that holds itself": b"}q\x00K\x01h\x00s.",
        "list that holds itself": b"}K\x01]q\x00h\x00as.",
        "tuples in tuples": b"}K\x01)" + b"\x85" * deep + b"s.",
        "tuples in tuples as a key": b"})" + b"\x85" * deep + b"K\x01s.",
        "lists in lists": b"}K\x01" + b"]" * deep + b"a" * (deep - 1) + b"s.",
        "keys of one hash": _colliding(50_000),
        "a million sets": b"\x80\x04" + b"\x8f" * 1_000_000 + b".",
        "a type as a key": b"}" + FLOATS + b"K\x01s.",
        "items without a mark": b"]e.",
        "a key without a value": b"}(K\x01u.",
        "a set of a number": b"}K\x01cbuiltins\nset\nK\x05\x85Rs.",
        "items into a list": b"]K\x01K\x02s.",
        "an object of arguments": b"}K\x01" + NET + b"K\x05\x85Rs.",
        "an object without names": b"}K\x01" + NET + b")RK\x05bs.",
    }


def _of_opcodes() -> dict[str, bytes]:
    """Returns sizes, names and opcodes that no table has."""
    billion = _long(struct.pack("<q", 10**9))
    return {
        "place far away in the memo": b"}K\x01K\x02r\xff\xff\xff\x7fs.",
        "place with 4,000 digits in the memo": b"}K\x01K\x02p" + b"9" * 4000 + b"\ns.",
        "place that is not in the memo": b"}K\x01j\xff\xff\xff\x7fs.",
        "bytes of a terabyte": b"\x80\x04}K\x01\x8e" + struct.pack("<Q", 2**40) + b"as.",
        "bytearray of a terabyte": b"\x80\x05}K\x01\x96" + struct.pack("<Q", 2**40) + b"as.",
        "text of a terabyte": b"\x80\x04}K\x01\x8d" + struct.pack("<Q", 2**40) + b"as.",
        "bytes of half the address space": b"\x80\x04}K\x01\x8e" + struct.pack("<Q", 2**63 + 1) + b"as.",
        "bytearray by its class": b"}K\x01cbuiltins\nbytearray\n" + billion + b"\x85Rs.",
        "number of 5,000 digits": b"}K\x01I" + b"7" * 5000 + b"\ns.",
        "number of a megabyte": b"\x80\x02}K\x01\x8b" + struct.pack("<i", 2**20) + b"7" * 2**20 + b"s.",
        "number of a negative size": b"\x80\x02}K\x01\x8b" + struct.pack("<i", -5) + b"s.",
        "half of a pair": b"}K\x01X\x03\x00\x00\x00\xed\xa0\x80s.",
        "a million marks": b"(" * 1_000_000 + b".",
        "a frame longer than the file": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
        "nothing but its end": b".",
        "codec of its choice": b"}K\x01c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00zip" + b"tRs.",
        "system": b"cposix\nsystem\n(X\x04\x00\x00\x00truetR.",
        "buffers from outside": b"\x80\x05}K\x01\x97s.",
        "what lies outside": b"}K\x01K\x02Qs.",
        "registered extensions": b"\x80\x02}K\x01\x82\x01s.",
        "state of a function": b"cnumpy\nndarray\n}b.",
        "state of a text": b"}X\x01\x00\x00\x00a}bK\x01s.",
        "a name that is a number": b"\x80\x04K\x01K\x02\x93.",
        "bytes with a state": b"}K\x01c_codecs\nencode\n(X\x01\x00\x00\x00aX\x06\x00\x00\x00latin1tR}bs.",
    }


def _long(eight: bytes) -> bytes:
    return b"\x8a\x08" + eight


def _doubled(times: int) -> bytes:
    """Returns a mapping of one key whose value holds 2 ** `times` values."""
    steps = (b"}K\x01h%csK\x02h%csq%c0" % (at, at, at + 1) for at in range(times))
    return b"}q\x000" + b"".join(steps) + b"}K\x01h%cs." % times


def _colliding(count: int) -> bytes:
    keys = (((2**61 - 1) * number).to_bytes(12, "little") for number in range(1, count))
    return b"\x80\x02}(" + b"".join(b"\x8a\x0c" + key + b"K\x01" for key in keys) + b"u."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pickles", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, help="folder for the pickles that were lost")
    given = parser.parse_args()
    counts = read_all(given.pickles, given.seed, given.kept)
    print(f"tried {counts.tried}, values {counts.values}, refused {counts.refused}, lost {len(counts.lost)}")
    print(f"slowest {counts.slowest:.2f} s, most memory of the reader {counts.memory} MiB")
    print("\n".join(counts.lost))
    raise SystemExit(bool(counts.lost))


if __name__ == "__main__":
    main()
