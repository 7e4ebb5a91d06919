"""SVG elements as safe text: attributes and text are escaped, and nothing needs a style attribute (the policy)."""

from __future__ import annotations

from html import escape

from django.utils.safestring import SafeString


def text(words: str) -> SafeString:
    """Words as they may stand inside an element."""
    return SafeString(escape(words, quote=False))


def element(name: str, /, *children: SafeString, **attributes: str | float) -> SafeString:
    """An element, `class_` for `class`, other underscores for hyphens; a float is written with at most two decimals."""
    start = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items())
    if not children:
        return SafeString(f"<{name}{start}/>")
    return SafeString(f"<{name}{start}>{''.join(children)}</{name}>")


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-") if "_" in key else key


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
