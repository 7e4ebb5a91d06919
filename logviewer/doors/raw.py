"""GET and HEAD /api/v1/logs/{id}/raw: the text goes out, whole, in part, or as it comes."""

from __future__ import annotations

from logviewer.chunkstore import LogEnd, LogReader
from logviewer.chunkstore.lines import line_range
from logviewer.doors.accel import hand_over
from logviewer.doors.answers import log_headers
from logviewer.doors.codings import Coding, known_coding, preferred_coding
from logviewer.doors.follow import follow
from logviewer.doors.http import BadRequest, Exchange, Headers, RefusedRequest, door
from logviewer.doors.identity import readable_log
from logviewer.doors.parameters import ALL_CHANNELS, MAX_NUMBER, Channels, chosen_channels, flag, whole_number
from logviewer.doors.pieces import channel_pieces, file_pieces, gzip_pieces, send_pieces, text_pieces
from logviewer.doors.ranges import ByteRange, Unsatisfiable, parse_range
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread, opened_in_reading_thread
from logviewer.models import LogFile
from logviewer.resources.problems import Problem

PARAMETERS = frozenset({"channels", "follow", "download", "from-line", "to-line"})


class UnsatisfiableRange(RefusedRequest):
    """A range outside a text of `size` bytes."""

    def __init__(self, size: int) -> None:
        detail = f"the text has {size} bytes; the range lies outside"
        headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        problem = Problem("invalid", "Range not satisfiable", 416, detail, {"Range": [detail]}, headers=headers)
        super().__init__(problem)


async def _raw(exchange: Exchange) -> None:
    """Answer with the text of the log, by its state and the request's wishes."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(PARAMETERS)
    channels = chosen_channels(exchange)
    follows = flag(exchange, "follow")
    wanted = _wanted_lines(exchange)
    if wanted is not None and follows:
        raise BadRequest("follow", "what is cut by from-line or to-line cannot be followed: ask for the whole log")
    headers = log_headers(log, download=flag(exchange, "download"))
    await exchange.consume_body()
    with await opened_in_reading_thread(chunk_store().reader, log.key) as reader:
        end = await in_reading_thread(reader.end)
        if wanted is not None:
            span = await in_reading_thread(_span_of_lines, reader, end, *wanted)
            await _part(exchange, reader, span, channels, headers)
        elif end.finished and channels == ALL_CHANNELS:
            await _whole(exchange, log, reader, end, headers)
        elif end.finished or not follows:
            await _part(exchange, reader, ByteRange(0, end.size), channels, headers)
        else:
            reader.close()  # the producer has its own, and only while it needs it
            await exchange.start(200, headers)
            await follow(exchange, log, channels)


async def _part(
    exchange: Exchange, reader: LogReader, span: ByteRange, channels: Channels, headers: Headers, status: int = 200
) -> None:
    """Those channels of a part of the text, as it is."""
    if channels == ALL_CHANNELS:
        headers = [*headers, ("Content-Length", str(span.stop - span.start))]
        pieces = text_pieces(reader, span.start, span.stop)
    else:
        pieces = channel_pieces(reader, span.start, span.stop, channels)
    await send_pieces(exchange, status, headers, pieces)


async def _whole(exchange: Exchange, log: LogFile, reader: LogReader, end: LogEnd, headers: Headers) -> None:
    """A finished log, all channels: length and ETag are known, so it can be cached, coded, and read in ranges."""
    whole = ByteRange(0, end.size)
    sha256 = log.text_sha256
    if sha256 is None:  # the row follows the store; until it has, there is no ETag to give
        await _part(exchange, reader, whole, ALL_CHANNELS, headers)
        return
    sealed = reader.sealed if end.size else None  # of an empty text a decoder would see no frame at all
    coding = Coding.IDENTITY if sealed is None else preferred_coding(exchange.header_list(b"accept-encoding"))
    answer = [*headers, ("Accept-Ranges", "bytes")]
    known = known_coding(exchange.header_list(b"if-none-match"), sha256, coding)
    if known is not None:
        await exchange.start(304, [*answer, ("ETag", known.etag(sha256))])
        await exchange.end()
        return
    wanted = _range(exchange, Coding.IDENTITY.etag(sha256), end.size)
    if wanted is not None:
        coding = Coding.IDENTITY
    answer += [("ETag", coding.etag(sha256))]
    if coding is not Coding.IDENTITY:
        answer += [("Content-Encoding", coding.value)]
    if _is_of_the_file(exchange, reader, coding, wanted) and await hand_over(exchange, reader, answer):
        return
    if wanted is not None:
        answer += [("Content-Range", wanted.content_range(end.size))]
        await _part(exchange, reader, wanted, ALL_CHANNELS, answer, 206)
    elif sealed is None or coding is Coding.IDENTITY:
        await _part(exchange, reader, whole, ALL_CHANNELS, answer)
    elif coding is Coding.ZSTD:
        answer += [("Content-Length", str(await in_reading_thread(sealed.size)))]
        await send_pieces(exchange, 200, answer, file_pieces(sealed))
    else:
        await send_pieces(exchange, 200, answer, gzip_pieces(text_pieces(reader, 0, end.size)))


def _is_of_the_file(exchange: Exchange, reader: LogReader, coding: Coding, wanted: ByteRange | None) -> bool:
    """Whether the answer is the log's file as it lies, or a range of it, to whoever reads the request's Range anew."""
    reads_the_same = wanted is not None or exchange.header(b"range") is None
    return reads_the_same and (reader.sealed is None or coding is Coding.ZSTD)


def _range(exchange: Exchange, etag: str, size: int) -> ByteRange | None:
    """The range that a GET asks for."""
    if exchange.scope["method"] != "GET":
        return None
    try:
        return parse_range(exchange.header(b"range"), exchange.header(b"if-range"), etag, size)
    except Unsatisfiable:
        raise UnsatisfiableRange(size) from None


def _wanted_lines(exchange: Exchange) -> tuple[int, int] | None:
    """The first and the last line that are asked for; None where the whole text is."""
    if exchange.parameter("from-line") is None and exchange.parameter("to-line") is None:
        return None
    first = whole_number(exchange, "from-line", default=1, least=1)
    last = whole_number(exchange, "to-line", default=MAX_NUMBER, least=1)
    if last < first:
        raise BadRequest("to-line", f"to-line {last} lies before from-line {first}")
    return first, last


def _span_of_lines(reader: LogReader, end: LogEnd, first: int, last: int) -> ByteRange:
    if first > max(1, end.lines):
        raise BadRequest("from-line", f"from-line {first} is beyond the log's {end.lines} lines")
    return ByteRange(*line_range(reader, first, last))


raw_text = door({"GET": _raw, "HEAD": _raw})
