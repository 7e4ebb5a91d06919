"""The byte paths as plain ASGI: WebSockets, chunk uploads, downloads, the guard. They translate and hold no logic."""
