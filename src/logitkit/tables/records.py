"""A stream of text cut into chunks that end where a record ends, so that each can be parsed on its own."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from logitkit.errors import InputError
from logitkit.tables.sources import Source

__all__ = ["MAX_RECORD_BYTES", "chunks", "last_line_end", "last_record_end", "valid_utf8"]

MAX_RECORD_BYTES = 512 << 20
"""A single row longer than this is refused: it is a forgotten quote, not a text."""

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
}


def chunks(source: Source, chunk_bytes: int, cut: Callable[[bytes], tuple[int, bool]]) -> Iterator[tuple[bytes, bool]]:
    """Yields chunks of about `chunk_bytes` that end in a newline, and whether a quote was left open at the very end.

    A record that is longer than a chunk makes its chunk grow. An open quote at the end of the input comes as a last
    chunk of its own. A UTF-8 byte-order mark is dropped.

    Raises:
        InputError: The input is empty, is not text, or has a record longer than `MAX_RECORD_BYTES`.
    """
    held = _start(source, chunk_bytes)
    at_start = True
    while True:
        end, is_open = cut(held)
        if end:
            yield held[:end], False
            held = held[end:]
            at_start = False
        elif len(held) > MAX_RECORD_BYTES:
            raise InputError(
                f"{source.name} has a row of more than {MAX_RECORD_BYTES >> 20} MiB{' at its start' * at_start};"
                " look for a quote that is opened and never closed."
            )
        data = source.read(max(chunk_bytes, len(held)))
        if not data:
            break
        held += data
    if held:
        yield held + b"\n", is_open


def _start(source: Source, chunk_bytes: int) -> bytes:
    held = source.read(max(chunk_bytes, 16))
    for mark, kind in _MARKS.items():
        if held.startswith(mark):
            advice = "save it as UTF-8" if kind.startswith("UTF") else "give its name the ending that belongs to it"
            raise InputError(f"{source.name} is {kind}, not UTF-8 text; {advice}.")
    held = held.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    while not held and (data := source.read(chunk_bytes)):
        held = data.lstrip(b"\r\n")
    if not held:
        raise InputError(f"{source.name} is empty; a table with at least a header or a row is needed.")
    return held


def last_line_end(text: bytes) -> tuple[int, bool]:
    """Where the last complete line ends."""
    return text.rfind(b"\n") + 1, False


def last_record_end(text: bytes, delimiter: str) -> tuple[int, bool]:
    r"""Where the last complete CSV record ends, and whether a quote is open at the end of the text.

    A quote opens only at the start of a field; a doubled quote inside is a character. When every quote is in such a
    place, being inside is the same as an odd number of quotes before: that is found without a loop.

    Example:
        >>> last_record_end(b'a,"b\nc"\nd,"e\n', ",")
        (8, True)
    """
    if b'"' not in text:
        return text.rfind(b"\n") + 1, False
    codes = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    before = codes[quotes - 1]
    opens = (before == ord(delimiter)) | (before == ord("\n")) | (before == ord("\r")) | (quotes == 0)
    doubled = np.zeros(len(quotes), bool)
    doubled[1:] = np.diff(quotes) == 1
    if not (opens | doubled)[::2].all():
        quotes = _turns(quotes, opens)
    newlines = np.flatnonzero(codes[max(0, len(codes) - 65536) :] == ord("\n")) + max(0, len(codes) - 65536)
    for positions in (newlines, None):
        ends = np.flatnonzero(codes == ord("\n")) if positions is None else positions
        outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if len(outside):
            return int(outside[-1]) + 1, len(quotes) % 2 == 1
    return 0, len(quotes) % 2 == 1


def _turns(quotes: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """The quotes that open or close a field, where others stand inside unquoted fields."""
    turns, inside, skip = [], False, False
    places, starts = quotes.tolist(), opens.tolist()
    for index, place in enumerate(places):
        if skip:
            skip = False
        elif not inside and starts[index]:
            inside = True
            turns.append(place)
        elif inside and index + 1 < len(places) and places[index + 1] == place + 1:
            skip = True
        elif inside:
            inside = False
            turns.append(place)
    return np.array(turns, np.intp)


def valid_utf8(text: bytes) -> tuple[bytes, int]:
    r"""The text with every invalid sequence replaced by U+FFFD, and how many were replaced.

    Example:
        >>> valid_utf8(b"caf\xe9")
        (b'caf\xef\xbf\xbd', 1)
    """
    offsets = np.array([0, len(text)], np.int64)
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        replaced = text.decode("utf-8", "replace").encode()
        return replaced, replaced.count(b"\xef\xbf\xbd") - text.count(b"\xef\xbf\xbd")
    return text, 0
