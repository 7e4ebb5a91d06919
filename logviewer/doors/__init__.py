"""The byte paths as plain ASGI: WebSockets, chunk uploads, downloads, and the guard. They translate and hold no logic."""
