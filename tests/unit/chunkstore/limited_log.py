"""What a limited log must hold, worked out from all that was ever sent, byte by byte, and nothing of the store's."""

from logviewer.chunkstore import Entry, Limits
from tests.unit.chunkstore.logs import joined


class LimitedLog:
    """All bytes sent, and what is kept of them. `sent` has (channel, byte), None where the writer lost one."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sent: list[tuple[int, int] | None] = []
        self.text: list[tuple[int, bytes]] = []
        self.overflow: list[tuple[int, int, int]] = []  # (payload offset, channel, byte)
        self.kept: set[int] = set()  # payload offsets of what is in the text
        self.head = self.headers = self.header_loss = self.lost = 0
        self.truncated = self.head_ends_line = False

    def send(self, entries: list[Entry]) -> None:
        for entry in entries:
            for byte in entry.data:
                self._send_byte(entry.channel, byte)

    def lose(self, count: int) -> None:
        words = b"1 byte of output was" if count == 1 else b"%d bytes of output were" % count
        self.text.append((2, b"\n" + words + b" lost by the build machine here\n"))
        self.sent += [None] * count
        self.lost += count

    def _send_byte(self, channel: int, byte: int) -> None:
        place = len(self.sent)
        self.sent.append((channel, byte))
        if channel == 2:
            if self.header_loss or self.headers == self.limits.max_header_bytes:
                if not self.header_loss:
                    self.text.append(
                        (2, b"\nHeaders exceeded %d bytes, remaining headers have been truncated\n" % self.headers)
                    )
                self.header_loss += 1
                return
            self.headers += 1
        else:
            if not self.truncated and self.limits.max_bytes and self.head == self.limits.max_bytes:
                self.truncated = True
                self.head_ends_line = self.whole_text()[-1:] in (b"", b"\n")
                self.text.append((2, b"\nOutput exceeded %d bytes, remaining output has been truncated\n" % self.head))
            if self.truncated:
                self.overflow.append((place, channel, byte))
                return
            self.head += 1
        self.kept.add(place)
        self.text.append((channel, bytes([byte])))

    def whole_text(self) -> bytes:
        return b"".join(data for _channel, data in self.text)

    def tail(self) -> list[tuple[int, int, int]]:
        """The last bytes, from a line's start on where there is one among them."""
        count = self.limits.max_tail_bytes
        kept = self.overflow[-count:] if count else []
        before = self.overflow[: -len(kept)] if kept else []
        starts_line = before[-1][2] == ord("\n") if before else self.head_ends_line
        if not starts_line:
            line_ends = [number for number, (_, _, byte) in enumerate(kept) if byte == ord("\n")]
            if line_ends and line_ends[0] + 1 < len(kept):
                kept = kept[line_ends[0] + 1 :]
        return kept

    def finished_text(self) -> list[tuple[int, bytes]]:
        """The text of the finished log, as runs of one channel."""
        kept = self.tail()
        ending = [(2, b"\nFinal %d bytes follow below:\n" % len(kept))] if kept else []
        return joined([*self.text, *ending, *((channel, bytes([byte])) for _, channel, byte in kept)])

    def omitted(self, finished: bool) -> int:
        return self.lost + self.header_loss + len(self.overflow) - (len(self.tail()) if finished else 0)

    def comparable(self) -> set[int]:
        """Payload offsets of bytes that an open log can surely compare with what is sent again."""
        count = self.limits.max_tail_bytes
        return self.kept | {place for place, _, _ in (self.overflow[-count:] if count else [])}
