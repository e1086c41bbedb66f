"""The order of an epoch as the documentation of the engine says it, written down once more and slowly."""

import struct
from collections.abc import Iterator

MASK = 0xFFFFFFFF


def _quarter(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = (state[x] + state[y]) & MASK
        mixed = state[z] ^ state[x]
        state[z] = ((mixed << turn) | (mixed >> (32 - turn))) & MASK


def keystream(key: bytes, stream: int) -> Iterator[int]:
    """Words of ChaCha with 8 rounds, a block counter and a nonce of 64 bits each."""
    block = 0
    while True:
        begin = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key)]
        begin += [block & MASK, block >> 32, stream & MASK, stream >> 32]
        state = list(begin)
        for _ in range(4):
            for i in range(4):
                _quarter(state, i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                _quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        yield from ((a + b) & MASK for a, b in zip(state, begin, strict=True))
        block += 1


def shuffle(numbers: list[int], key: bytes, stream: int) -> list[int]:
    words = keystream(key, stream)

    def below(n: int) -> int:
        while True:
            product = next(words) * n
            if product & MASK >= 2**32 % n:
                return product >> 32

    for i in range(len(numbers) - 1, 0, -1):
        j = below(i + 1)
        numbers[i], numbers[j] = numbers[j], numbers[i]
    return numbers


def order(
    identity: str, seed: int, epoch: int, batches: list[int], window: int | None
) -> list[int]:
    """Rows of an epoch: of batches of so many rows, in windows of so many; None shuffles batches only."""
    key = bytes.fromhex(identity) + struct.pack("<QQ", seed, epoch)
    starts = [sum(batches[:i]) for i in range(len(batches))]
    shuffled = shuffle(list(range(len(batches))), key, 0)
    width = window or 1
    rows = []
    for number, first in enumerate(range(0, len(batches), width)):
        these = [
            starts[at] + row for at in shuffled[first : first + width] for row in range(batches[at])
        ]
        rows += these if window is None else shuffle(these, key, 1 + number)
    return rows
