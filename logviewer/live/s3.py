"""Sealed logs in S3, or what speaks like it: read by range with boto3.

django-storages' own file object fetches the whole object before the first byte is had (it spools it on a seek), so of
that library come the settings, the session and the client, and the reading is here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, ResponseStreamingError
from storages.backends.s3 import S3Storage
from urllib3.exceptions import HTTPError, ProtocolError

from logviewer.chunkstore import ArchiveAway, NoSuchLog
from logviewer.chunkstore.sources import Source
from logviewer.live.archive import checked_name
from logviewer.live.blocks import BLOCK_BYTES, BlockCache
from logviewer.live.outage import Outage
from logviewer.live.revocations import Revocations
from logviewer.live.threads import READING_THREADS, WAITING_THREADS

CONNECT_SECONDS = 3
READ_SECONDS = 10
TRIES = 2
"""How often boto3 asks, with a short pause, before the store counts as away."""

BROKEN_OFF_PAUSE_SECONDS = 0.2
"""Before asking again for an answer that broke off half-way, which boto3 leaves to us."""

PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 2

MAX_BLOCKS_AHEAD = 8
"""Who reads on and on gets up to 2 MiB with one request."""

LARGE_READ_BYTES = 1024 * 1024
"""Reads from this size on are one request each and leave the cache to others."""

HEAD_SECONDS = 30.0
"""How long size and version of an object are believed, unless there was a revocation since they were asked for."""

MAX_HEADS = 4096


class S3Logs(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """The storage that `BUILDLOGS_LOG_STORE=s3://…` configures: boto3 finds the credentials by itself."""

    def get_default_settings(self) -> dict[str, Any]:
        """As django-storages', with time limits, and without its own reading of half of the AWS variables."""
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=READING_THREADS + WAITING_THREADS,
            request_checksum_calculation="when_required",  # not every store that speaks S3 knows the newer checksums
            response_checksum_validation="when_required",
        )
        transfer = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )
        own = {"client_config": config, "transfer_config": transfer, "file_overwrite": True}
        return {**super().get_default_settings(), "access_key": None, "secret_key": None, "security_token": None, **own}


class Head(NamedTuple):
    """What is known of an object: its size and its version (ETag).

    It is believed until `until`, as long as there were no more than `revocations` when it was asked for.
    """

    size: int
    version: str
    until: float
    revocations: int


class S3Archive:
    """An Archive in a bucket. One client for all threads, which boto3 allows."""

    def __init__(self, storage: Any, revocations: Revocations) -> None:
        self._storage = storage
        self._revocations = revocations
        where = f"s3://{storage.bucket_name}" + (f" at {storage.endpoint_url}" if storage.endpoint_url else "")
        self.outage = Outage(f"the log store {where}", _explain)
        self.blocks = BlockCache()
        self._mutex = threading.Lock()
        self._client: Any = None
        self._heads: OrderedDict[str, Head] = OrderedDict()

    def open(self, name: str) -> Source:
        """Open an object for reads by range. Raises FileNotFoundError, ArchiveAway.

        One request, which brings the size and the last block: a small object is had with it, of a large one the
        table of contents.
        """
        checked_name(name)
        revocations = self._revocations.count()  # before anything is asked, for there may be one meanwhile
        with self._mutex:
            head = self._heads.get(name)
        if head is None or head.until < time.monotonic() or head.revocations != revocations:
            head = self._ask_for_head(name, revocations)
        return S3Object(self, name, head)

    def save(self, name: str, path: Path) -> None:
        """Put a file there, in parts where it is large, in place of an older one. Raises ArchiveAway."""
        checked_name(name)
        with self.outage.asking(name):
            extra = self._storage.get_object_parameters(name)
            self._s3().upload_file(
                str(path), *self._place(name).values(), ExtraArgs=extra or None, Config=self._storage.transfer_config
            )
        self.forget(name)

    def delete(self, name: str) -> None:
        """Remove an object; S3 has no error for one that is not there. Raises ArchiveAway."""
        checked_name(name)
        with self.outage.asking(name):
            self._s3().delete_object(**self._place(name))
        self.forget(name)

    def revoke(self) -> None:
        """Have all processes ask anew for each object's version before they read of it what they have kept."""
        self._revocations.add()

    def fetch(self, name: str, span: str, version: str | None = None) -> tuple[dict[str, Any], bytes]:
        """Return answer and bytes of a range, of that version only. Raises FileNotFoundError, ArchiveAway."""
        condition = {"IfMatch": version} if version is not None else {}
        with self.outage.asking(name):
            try:
                return self._get(name, Range=f"bytes={span}", **condition)
            except (IncompleteReadError, ResponseStreamingError, ProtocolError):
                time.sleep(BROKEN_OFF_PAUSE_SECONDS)
                return self._get(name, Range=f"bytes={span}", **condition)

    def forget(self, name: str) -> None:
        """Drop what is known of an object that was replaced or removed."""
        with self._mutex:
            self._heads.pop(name, None)
        self.blocks.forget(name)

    def _get(self, name: str, **arguments: str) -> tuple[dict[str, Any], bytes]:
        try:
            answer = self._s3().get_object(**self._place(name), **arguments)
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                raise FileNotFoundError(name) from None
            raise
        with answer["Body"] as body:
            return answer, body.read()

    def _ask_for_head(self, name: str, revocations: int) -> Head:
        answer, tail = self.fetch(name, f"-{BLOCK_BYTES}")
        size = int(answer["ContentRange"].rpartition("/")[2]) if "ContentRange" in answer else len(tail)
        head = Head(size, answer["ETag"], time.monotonic() + HEAD_SECONDS, revocations)
        if size:
            last = (size - 1) // BLOCK_BYTES
            self.blocks.put(name, head.version, last, tail[last * BLOCK_BYTES - size :])
        with self._mutex:
            self._heads[name] = head
            while len(self._heads) > MAX_HEADS:
                self._heads.popitem(last=False)
        return head

    def _place(self, name: str) -> dict[str, str]:
        """Where the object lies, in boto3's words and the order of its `upload_file`."""
        return {"Bucket": self._storage.bucket_name, "Key": f"{self._storage.location.strip('/')}/{name}".lstrip("/")}

    def _s3(self) -> Any:
        """The client, made when it is first needed."""
        with self._mutex:
            if self._client is None:
                self._client = self._storage.connection.meta.client
            return self._client


class S3Object:
    """An object as a Source: read in blocks that all readers of the process share, ahead where one reads on."""

    def __init__(self, archive: S3Archive, name: str, head: Head) -> None:
        self._archive = archive
        self._name = name
        self._head = head
        self._next = -1  # the block after those last fetched
        self._ahead = 1

    def size(self) -> int:
        """Return the object's size, which does not change."""
        return self._head.size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the object. Raises ArchiveAway, also where it was replaced since it was opened; NoSuchLog."""
        stop = min(offset + length, self._head.size)
        if offset >= stop:
            return b""
        if stop - offset >= LARGE_READ_BYTES:
            return self._fetch(offset, stop)
        first, last = offset // BLOCK_BYTES, (stop - 1) // BLOCK_BYTES
        found = {number: self._block(number) for number in range(first, last + 1)}
        missing = [number for number, block in found.items() if block is None]
        if missing:
            found |= self._fetch_blocks(missing[0], missing[-1])
        data = b"".join([block for number in range(first, last + 1) if (block := found[number]) is not None])
        return data[offset - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]

    def read_now(self, offset: int, length: int) -> None:
        """Return None, also where the cache has the bytes: whoever asks needs more, and may not wait for it."""

    def close(self) -> None:
        """Nothing is held: each answer was read to its end."""

    def _block(self, number: int) -> bytes | None:
        return self._archive.blocks.get(self._name, self._head.version, number)

    def _fetch_blocks(self, first: int, last: int) -> dict[int, bytes | None]:
        """Get blocks with one request, and some more where these follow the ones before; keep them."""
        self._ahead = min(2 * self._ahead, MAX_BLOCKS_AHEAD) if first == self._next else 1
        last = min(max(last, first + self._ahead - 1), (self._head.size - 1) // BLOCK_BYTES)
        data = self._fetch(first * BLOCK_BYTES, min((last + 1) * BLOCK_BYTES, self._head.size))
        self._next = last + 1
        blocks: dict[int, bytes | None] = {}
        for number in range(first, last + 1):
            block = data[(number - first) * BLOCK_BYTES : (number - first + 1) * BLOCK_BYTES]
            self._archive.blocks.put(self._name, self._head.version, number, block)
            blocks[number] = block
        return blocks

    def _fetch(self, start: int, stop: int) -> bytes:
        try:
            _answer, data = self._archive.fetch(self._name, f"{start}-{stop - 1}", self._head.version)
        except ArchiveAway as away:
            if isinstance(away.__cause__, ClientError) and _code(away.__cause__) == "PreconditionFailed":
                self._archive.forget(self._name)
            raise
        except FileNotFoundError:
            self._archive.forget(self._name)
            raise NoSuchLog(self._name) from None
        return data


def _code(error: ClientError) -> str:
    """S3's word for what was wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


WORDS = {
    "NoSuchBucket": "there is no such bucket; make it, or correct BUILDLOGS_LOG_STORE",
    "AccessDenied": "it refuses us; the credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket",
    "InvalidAccessKeyId": "it does not know our access key; correct the AWS credentials",
    "SignatureDoesNotMatch": "our secret key is wrong; correct the AWS credentials",
    "PreconditionFailed": "the object was replaced while it was read; open the log again",
}


def _explain(error: Exception) -> tuple[str, bool]:
    """Say what is wrong, and whether it is with the whole store: it cannot be reached, or fails."""
    if isinstance(error, Boto3Error) and isinstance(error.__context__, ClientError):  # an upload's
        error = error.__context__
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = _code(error)
        return WORDS.get(code, f"it answered {status} {code}"), status >= 500 or code == "NoSuchBucket"
    return f"{type(error).__name__}: {error}", isinstance(error, BotoCoreError | Boto3Error | HTTPError | OSError)
