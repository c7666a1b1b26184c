"""Text as the readers want it, whatever an editor made of it: UTF-8, a line feed behind each line.

Byte-order marks are those of the Unicode standard, section 23.8. Text in other bytes (Latin-1,
GBK) stays as it is: only names can hold such.
"""

from __future__ import annotations

import re

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_NO_NUMBER = re.compile(rb"(?<![\w.])([-+]?)\d+\.#(INF|IND|[QS]?NAN)\w*", re.IGNORECASE)


def as_utf8(data: bytes | bytearray) -> bytes | bytearray:
    """The text in UTF-8 and without a byte-order mark; other text is given back as it is.

    UTF-16 and UTF-32 are told by their mark, UTF-16 without one by zeros in every other byte.

    Raises:
        ValueError: a mark in front of bytes that are not such text.
    """
    if data[:3] == b"\xef\xbb\xbf":
        return data[3:]
    name = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if not name and b"\0" in data[:64] and len(data) > 7:
        head = bytes(data[:64])
        if 0 not in head[::2] and not any(head[1::2]):
            name = "utf-16-le"
        elif 0 not in head[1::2] and not any(head[::2]):
            name = "utf-16-be"
    if not name:
        return data
    try:
        return bytearray(data.decode(name).encode("utf-8"))
    except UnicodeError:
        raise ValueError(f"its first bytes say {name.upper()}, and it is not") from None


def decoded_name(name: bytes | bytearray) -> str:
    """A name in UTF-8, else as Latin-1, in which every byte is a letter of its own."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def with_line_feeds(data: bytes | bytearray) -> bytes | bytearray:
    """The text with a line feed behind each line; itself where no carriage return stands alone."""
    if b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"):
        return data
    return bytearray(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def plain_text(data: bytes | bytearray) -> bytes | bytearray:
    """`as_utf8` and `with_line_feeds`.

    Raises:
        ValueError: see `as_utf8`.
    """
    return with_line_feeds(as_utf8(data))


def with_plain_infinities(data: bytes | bytearray) -> bytes | bytearray | None:
    """The text with "nan" and "inf" for what C libraries of Windows print, such as "-1.#IND"; None
    where there is none."""
    if b".#" not in data:
        return None
    made, count = _NO_NUMBER.subn(
        lambda found: found[1] + (b"inf" if found[2].upper() == b"INF" else b"nan"), bytes(data)
    )
    return bytearray(made) if count else None


# words that are whole or have one comma inside, of which one has: "1,5 2,25 0", not "1, 2, 3"
_WORD = rb"[-+]?\d+(?:,\d+)?(?:[eE][-+]?\d+)?"
_ROW = rb"(?=[^\r\n]*\d,\d)" + _WORD + rb"(?:[ \t]+" + _WORD + rb"){2,}[ \t]*\r?$"
_COMMA = re.compile(rb"(?<=\d),(?=\d)")
COMMAS_SAID = "commas were read as decimal points"

# numbers between blanks, of which one has commas between its thousands: "1,000.5 2 3"
_GROUPED = rb"[-+]?\d{1,3}(?:,\d{3})+\.\d*"
_NUMBER = rb"(?:" + _GROUPED + rb"|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_GROUPED_ROW = _NUMBER + rb"(?:[ \t]+" + _NUMBER + rb"){2,}[ \t]*\r?"
_GROUP = re.compile(rb",\d{3}\.")


def refuse_grouped(data: bytes | bytearray, begin: int = 0, *, word: bytes = b"") -> None:
    """Refuses commas between thousands, which elsewhere stand between numbers.

    Args:
        word: what stands in front of a line of numbers.

    Raises:
        ValueError: a line of numbers has such.
    """
    if data.find(b",", begin) < 0 or all(data.find(sign, begin) < 0 for sign in (b" ", b"\t")):
        return
    row = re.compile(rb"[ \t]*" + (word + rb"[ \t]+" if word else b"") + _GROUPED_ROW)
    at = begin
    while (found := _GROUP.search(data, at)) is not None:
        first = max(data.rfind(b"\n", at, found.start()) + 1, at)
        at = data.find(b"\n", found.end())
        at = at if at >= 0 else len(data)
        line = bytes(data[first:at])
        if row.fullmatch(line):
            text = line.strip().decode("ascii")[:60]
            raise ValueError(f"expected numbers without commas between thousands, got {text!r}")


def with_decimal_points(
    data: bytes | bytearray, begin: int = 0, *, words: bytes = b""
) -> bytearray | None:
    """The text with points for commas, from byte `begin` on, where numbers have decimal commas;
    None where they have not.

    Args:
        words: alternatives of a regular expression, one of which stands in front of a line of
            numbers; nothing else is changed then. The first tells.

    Raises:
        ValueError: see `refuse_grouped`.
    """
    if b"," not in data:
        return None
    refuse_grouped(data, begin, word=words.split(b"|")[0])
    body = bytes(data[begin:])
    front = rb"^[ \t]*"
    first = front + (words.split(b"|")[0] + rb"[ \t]+" if words else b"")
    if not re.search(first + _ROW, body, re.MULTILINE):
        return None
    if words:
        line = re.compile(front + rb"(?:" + words + rb")[ \t][^\n]*", re.MULTILINE)
        body = line.sub(lambda found: _COMMA.sub(b".", found[0]), body)
    else:
        body = _COMMA.sub(b".", body)
    return bytearray(bytes(data[:begin]) + body)
