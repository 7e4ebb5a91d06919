"""The independent reader, under the name that the store's tests have for it."""

from tests.independent_reader import Extent, Log, extents, joined, number, read, synced, text, unsealed

__all__ = ["Extent", "Log", "extents", "joined", "number", "read", "synced", "text", "unsealed"]
