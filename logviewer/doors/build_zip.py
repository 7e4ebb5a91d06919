"""GET and HEAD /api/v1/builds/{id}/logs.zip and /api/v1/logs.zip?ids=: logs in a zip made while it is sent (ADR 11)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zipstream import ZIP_DEFLATED, ZipStream

from logviewer.chunkstore import ChunkStore, LogReader
from logviewer.doors.answers import FRESH_HEADERS, attachment, file_name
from logviewer.doors.http import BadRequest, Exchange, door
from logviewer.doors.identity import identify
from logviewer.doors.pieces import Pieces, gather, send_pieces, text_pieces
from logviewer.live import chunk_store
from logviewer.live.database import in_database
from logviewer.models import Build, LogFile
from logviewer.resources import access
from logviewer.resources.problems import internal, problem_from

logger = logging.getLogger(__name__)

DEFLATE_LEVEL = 1
MAX_CHOSEN_LOGS = 100
ID = re.compile(r"[0-9]{1,19}", re.ASCII)


class Member(NamedTuple):
    """A log in the zip: `name` lacks its ending, `key` is the chunk store's."""

    name: str
    key: str


async def _logs_zip(exchange: Exchange) -> None:
    """Answer with the zip, open logs as far as they are."""
    caller = await identify(exchange.scope)
    build = await in_database(access.readable_build, caller, int(exchange.path["build_id"]))
    exchange.refuse_unknown_parameters(())
    members = await in_database(_members, build)
    await _send_zip(exchange, file_name(build, "logs.zip"), members)


async def _chosen_zip(exchange: Exchange) -> None:
    """Answer with a zip of the logs whose ids stand in the address, each of which the caller may read."""
    caller = await identify(exchange.scope)
    exchange.refuse_unknown_parameters(("ids",))
    ids = _ids(exchange.parameter("ids"))
    logs = await in_database(access.readable_logs, caller, ids)
    await _send_zip(exchange, "logs.zip", [_member_of_many(log) for log in logs if log.storage_key is not None])


async def _send_zip(exchange: Exchange, name: str, members: list[Member]) -> None:
    await exchange.consume_body()
    headers = [("Content-Type", "application/zip"), attachment(name), *FRESH_HEADERS]
    await send_pieces(exchange, 200, headers, gather(_zip_pieces(chunk_store(), members)))


def _ids(text: str | None) -> list[int]:
    """The ids of `1,2,3`, each once, in that order."""
    words = (text or "").split(",", MAX_CHOSEN_LOGS)
    if len(words) > MAX_CHOSEN_LOGS or not all(ID.fullmatch(word) for word in words):
        raise BadRequest("ids", f"ids are 1 to {MAX_CHOSEN_LOGS} ids of logs, with commas between them")
    return list(dict.fromkeys(map(int, words)))


def _member_of_many(log: LogFile) -> Member:
    """A log beside logs of other builds."""
    build = log.step.build
    place = f"{build.builder.project.slug}/{build.builder.slug}/{build.number}"
    return Member(f"{place}/{log.step.number:02d}-{log.step.slug}/{log.slug}", log.key)


def _members(build: Build) -> list[Member]:
    """The build's logs in the order of its page. Slugs are unique beside each other, and so these names are."""
    logs = LogFile.objects.filter(step__build=build, storage_key__isnull=False).select_related("step")
    return [
        Member(f"{log.step.number:02d}-{log.step.slug}/{log.slug}", log.key)
        for log in logs.order_by("step__number", "id")
    ]


def _zip_pieces(store: ChunkStore, members: Iterable[Member]) -> Pieces:
    """The zip, with one log open at a time. A log that cannot be read does not keep the others from the reader."""
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=DEFLATE_LEVEL)
    for member in members:
        error: Exception | None = None
        try:
            reader = store.reader(member.key)
        except Exception as failure:
            error = failure
        else:
            with reader:
                text = ReadableText(reader)
                archive.add(text, f"{member.name}.log", size=text.size)
                yield from archive.file()
                error = text.error
        if error is not None:
            archive.add(_word(member, error), f"{member.name}.error.txt")
            yield from archive.file()
    yield from archive.footer()


class ReadableText:
    """A log's text as far as it can be read; `error` says what ended it before its end, `size` what it should have."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.error: Exception | None = None
        self.size = 0
        try:
            self.size = reader.end().size
        except Exception as failure:
            self.error = failure

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from text_pieces(self._reader, 0, self.size)
        except Exception as failure:
            self.error = failure


def _word(member: Member, error: Exception) -> str:
    """What is said of a log that could not be read, or not to its end."""
    logger.error("%s cannot be read for a zip", member.key, exc_info=error)
    problem = problem_from(error) or internal()
    return f"This log could not be read, or not to its end: {problem.title}. {problem.detail}\n"


logs_zip = door({"GET": _logs_zip, "HEAD": _logs_zip})
chosen_zip = door({"GET": _chosen_zip, "HEAD": _chosen_zip})
