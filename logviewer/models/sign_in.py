"""How often a password may be tried, for one account and from one address, and a sign-in elsewhere begun (ADR 29)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.db import models, transaction
from django.utils import timezone

MAX_FORGOTTEN = 100
"""How many rows that say nothing any more go with each try: more than come, so that they never add up."""


@dataclass(frozen=True)
class Allowance:
    """A bucket's size: so many tries at once, then one more every so many seconds."""

    at_once: int
    seconds_each: int

    @property
    def each(self) -> timedelta:
        """As long as one try takes to come back."""
        return timedelta(seconds=self.seconds_each)


OF_ACCOUNT = Allowance(at_once=10, seconds_each=60)
"""1450 guesses a day at one password; a person who mistypes it nine times is not kept waiting."""

OF_ADDRESS = Allowance(at_once=50, seconds_each=10)
"""An office behind one address signs in, mistakes included; one address cannot go through a list of names.

As many sign-ins elsewhere may be begun from it, in a bucket of their own: each makes a session, which is a row.
"""


class SignInBucket(models.Model):
    """What is left to one account or address, kept as the moment when all of it will be back.

    In the database, so that several processes count together; whose bucket it is, is kept as a SHA-256 only: what
    people type into the wrong field is often a password.
    """

    key = models.CharField(max_length=64, primary_key=True)
    full_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "bucket of sign-ins"
        verbose_name_plural = "buckets of sign-ins"

    def __str__(self) -> str:
        return f"{self.key[:8]}, full at {self.full_at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def take(cls, username: str, address: str) -> int:
        """Take one try out of the account's bucket and the address's; 0, or how many seconds to wait: then none is.

        It is taken before the password is looked at: of a thousand tries at once ten are made.
        """
        return cls._take(_keys(username, address))

    @classmethod
    def give_back(cls, username: str, address: str) -> None:
        """Put back what was taken: the password was right."""
        cls._give_back(_keys(username, address))

    @classmethod
    def take_elsewhere(cls, address: str) -> int:
        """As `take`, of the address's sign-ins that are begun here and done elsewhere."""
        return cls._take(_elsewhere(address))

    @classmethod
    def give_back_elsewhere(cls, address: str) -> None:
        """Put one of them back: somebody was signed in by it."""
        cls._give_back(_elsewhere(address))

    @classmethod
    def _take(cls, allowances: dict[str, Allowance]) -> int:
        wait = 0.0
        with transaction.atomic():
            now = timezone.now()
            buckets = [(cls._locked(key), allowance) for key, allowance in allowances.items()]
            for bucket, allowance in buckets:
                bucket.full_at = max(now, bucket.full_at) + allowance.each
                early = bucket.full_at - now - allowance.at_once * allowance.each
                wait = max(wait, early.total_seconds())
            if wait <= 0:
                SignInBucket.objects.bulk_update([bucket for bucket, _ in buckets], ["full_at"])
            cls._forget()  # afterwards: what was taken from is not full
        return ceil(max(0.0, wait))

    @classmethod
    def _give_back(cls, allowances: dict[str, Allowance]) -> None:
        with transaction.atomic():
            for key, allowance in allowances.items():
                bucket = cls._locked(key)
                bucket.full_at -= allowance.each
                bucket.save(update_fields=["full_at"])

    @classmethod
    def _locked(cls, key: str) -> SignInBucket:
        """The bucket, made where there is none, locked until the transaction's end."""
        bucket, _ = SignInBucket.objects.select_for_update().get_or_create(
            key=key, defaults={"full_at": timezone.now()}
        )
        return bucket

    @classmethod
    def _forget(cls) -> None:
        """Delete buckets that are full; those that somebody holds at the moment are passed over."""
        full = (
            SignInBucket.objects.select_for_update(skip_locked=True)
            .filter(full_at__lt=timezone.now())
            .order_by("full_at")
        )
        keys = list(full.values_list("key", flat=True)[:MAX_FORGOTTEN])
        SignInBucket.objects.filter(key__in=keys).delete()


def _keys(username: str, address: str) -> dict[str, Allowance]:
    """The two buckets, always in the same order: whoever locks both waits for nobody who waits for them."""
    return {_digest("account", username): OF_ACCOUNT, _digest("address", address): OF_ADDRESS}


def _elsewhere(address: str) -> dict[str, Allowance]:
    return {_digest("elsewhere", address): OF_ADDRESS}


def _digest(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind} {name}".encode("utf-8", "surrogatepass")).hexdigest()
