"""How the nouns look from outside: JSON shapes, problems, and who may see or do what. It writes nothing.

The one exception is a token's `last_used_at`, which `access.identify` notes at most once a minute.
"""
