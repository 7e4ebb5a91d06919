"""How stored bytes reach those who watch: announcements, the hub, and the producer.

An announcement only says that there is more; the store says what. This room reads the store and never writes it, and
it knows nothing of WebSockets or HTTP: whoever wants bytes is a `Consumer`.
"""

from logviewer.live.consumer import Consumer, ConsumerMixin
from logviewer.live.hub import Hub
from logviewer.live.producer import LogFileProducer
from logviewer.live.store import chunk_store
from logviewer.live.watch import LogWatch

__all__ = ["Consumer", "ConsumerMixin", "Hub", "LogFileProducer", "LogWatch", "chunk_store"]
