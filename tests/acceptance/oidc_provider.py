"""A small OpenID provider on loopback, which signs in whoever it is told to, and can misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "buildlogs"
CLIENT_SECRET = "a secret of the provider's"
KEY_ID = "key-1"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """Discovery, authorization, token, userinfo and keys.

    `person` is who signs in; `claims` and `userinfo` change what is said of them, `signing_key` what it is signed
    with, `broken` names an address that answers nonsense.
    """

    def __init__(self) -> None:
        self.key = new_key()
        self.signing_key = self.key
        self.person: dict[str, Any] = {"sub": "1", "preferred_username": "grace", "name": "Grace Hopper"}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.broken = ""
        self.asked: list[str] = []
        self._challenges: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reset(self) -> None:
        """As it was at first, but for its key."""
        self.signing_key = self.key
        self.person = {"sub": "1", "preferred_username": "grace", "name": "Grace Hopper"}
        self.claims, self.userinfo, self.broken = {}, {}, ""
        self.asked.clear()

    def authorize(self, address: str) -> str:
        """What the browser's visit there comes to: the address it is sent back to. The person said yes."""
        parts = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = f"code-{len(self._challenges)}"
        self._challenges[code] = query["code_challenge"]
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        assert (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert self._challenges.pop(form["code"]) == challenge
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, **self.person, **self.claims}
        id_token = jwt.encode(claims, self.signing_key, algorithm="RS256", headers={"kid": KEY_ID})
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": id_token}

    def _keys(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]}

    def answer(self, path: str, form: dict[str, str]) -> Any:
        """The JSON for a path; None where there is nothing."""
        match path:
            case "/.well-known/openid-configuration":
                return self._discovery()
            case "/token":
                return self._token(form)
            case "/userinfo":
                return {**self.person, **self.userinfo}
            case "/keys":
                return self._keys()
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                provider.asked.append(self.path)
                found = provider.answer(self.path, form)
                body = b"<html>" if provider.broken == self.path else json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    @contextmanager
    def serving(self) -> Iterator[Provider]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
