"""CRC-32C (Castagnoli), in Python: for small files and entries. Batches are the reader's."""

_POLYNOMIAL = 0x82F63B78


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
        table.append(value)
    return table


_TABLE = _table()


def crc32c(content: bytes) -> int:
    """Return the checksum of bytes."""
    value = 0xFFFFFFFF
    table = _TABLE
    for byte in content:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF
