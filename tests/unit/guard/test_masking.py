"""Unmasking: what RFC 6455 says, in whatever pieces a frame comes."""

import pytest
from autobahn.websocket import protocol as autobahn_protocol
from hypothesis import given
from hypothesis import strategies as st

from logviewer.doors.guard.daphne import install
from logviewer.doors.guard.masking import create_masker

KEY = b"\x01\x20\xff\x00"


def unmasked(mask: bytes, data: bytes) -> bytes:
    """RFC 6455, section 5.3: octet i is XORed with octet i modulo 4 of the key."""
    return bytes(octet ^ mask[place % 4] for place, octet in enumerate(data))


@given(mask=st.binary(min_size=4, max_size=4), pieces=st.lists(st.binary(max_size=40), max_size=6))
def test_a_frame_is_unmasked_in_whatever_pieces_it_comes(mask: bytes, pieces: list[bytes]) -> None:
    masker = create_masker(mask)
    assert b"".join([masker.process(piece) for piece in pieces]) == unmasked(mask, b"".join(pieces))
    assert masker.pointer() == len(b"".join(pieces))


def test_a_masker_that_is_reset_begins_with_the_first_octet_of_the_key() -> None:
    masker = create_masker(KEY)
    masker.process(b"abc")
    masker.reset()
    assert (masker.pointer(), masker.process(b"abcde")) == (0, unmasked(KEY, b"abcde"))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1024, 70_001])
def test_frames_of_all_sizes_are_unmasked_alike(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    masker = create_masker(KEY, size)
    assert masker.process(data) == unmasked(KEY, data)
    assert masker.pointer() == size


def test_autobahn_unmasks_with_these_where_the_guard_is_installed() -> None:
    install(1)
    assert vars(autobahn_protocol)["create_xor_masker"] is create_masker
