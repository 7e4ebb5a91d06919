"""REST for everything that is not log bytes."""
