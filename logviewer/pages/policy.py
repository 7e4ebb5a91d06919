"""The Content-Security-Policy of each part of the site (https://www.w3.org/TR/CSP3/)."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"


def _policy(**changes: str | None) -> str:
    directives: dict[str, str | None] = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "font-src": "'self'",
        "frame-src": "'self'",  # logs of type html, which are sandboxes
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "manifest-src": "'self'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    directives |= {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items() if value is not None)


PAGES_POLICY = _policy()
# Django's admin has no inline script or style, but its jQuery sets innerHTML, which Trusted Types would stop.
ADMIN_POLICY = _policy(require_trusted_types_for=None, trusted_types=None)
# Swagger UI sets innerHTML, writes style attributes and draws its icons from data: addresses.
DOCS_POLICY = _policy(
    require_trusted_types_for=None, trusted_types=None, img_src="'self' data:", style_src="'self' 'unsafe-inline'"
)
POLICY_OF_PREFIX = {"/admin/": ADMIN_POLICY, "/api/v1/docs": DOCS_POLICY}


def policy_for(path: str) -> str:
    """The policy of what lies at `path`."""
    for prefix, policy in POLICY_OF_PREFIX.items():
        if path.startswith(prefix):
            return policy
    return PAGES_POLICY


class ContentSecurityPolicyMiddleware:
    """Puts the policy on every response that has not brought its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, with the policy."""
        response = self._get_response(request)
        response.headers.setdefault(HEADER, policy_for(request.path_info))
        return response
