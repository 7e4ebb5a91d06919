"""The only room that writes: it checks, stores and announces. It knows nothing of HTTP."""
