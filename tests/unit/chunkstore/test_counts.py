from logviewer.chunkstore import ChunkStore
from tests.unit.chunkstore.logs import KEY, err, out


def test_a_store_counts_what_it_took_and_nothing_twice(store: ChunkStore):
    store.append(KEY, [out(b"12345"), err(b"678")], offset=0)
    store.append(KEY, [out(b"12345"), err(b"678")], offset=0)
    store.append(KEY, [err(b"678"), out(b"9")], offset=5)
    counts = store.appended
    assert (counts.bodies, counts.chunks, counts.received_bytes) == (2, 4, 9)
