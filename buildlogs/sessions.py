"""Sessions as Django keeps them in the database, looked up by names that a session can have."""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, which takes whatever a cookie says for a key: escaped octal digits in it can stand for NUL.

    PostgreSQL refuses to be asked for that, and each answer was a 500. Of the same name, for it salts what is signed.
    """

    def _validate_session_key(self, key: str | None) -> bool:
        """Whether a session can be called so: of letters and digits, long enough for Django."""
        if key is None or not (key.isascii() and key.isalnum()):
            return False
        return bool(super()._validate_session_key(key))  # type: ignore[misc]  # the stubs leave out what is private
