"""axe-core, run on a page as it stands: what keeps people from using it (docs/adr/0024-accessibility-by-axe.md).

It comes through `page.evaluate`, as the browser's own debugger would bring it: the pages' policy lets no other script
in, and is not loosened for a test. Nor are sheets that others import loaded once more: axe would put them into the page
as styles, which the policy stops; no rule that is asked for here looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

DIRECTORY = Path(__file__).parents[1] / "data" / "axe-core"
MAX_ELEMENTS_TOLD = 3

_RUN = """
async ({ options, most }) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], preload: false, ...options });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => {
      const told = nodes.slice(0, most).map(({ target, any, all, none }) => {
        const why = [...any, ...all, ...none].map(({ message }) => message);
        return `${target.join(" ")} (${why.join("; ")})`;
      });
      return `${impact} ${id}, ${nodes.length} times: ${told.join(", ")}`;
    });
}
"""


@cache
def _source() -> str:
    return (DIRECTORY / "axe.min.js").read_text(encoding="utf-8")


def barriers(page: Page, rules: Sequence[str] | None = None) -> list[str]:
    """What axe calls serious or critical on the page, by all its rules (and the size of targets), or by these alone."""
    options: dict[str, object] = {"rules": {"target-size": {"enabled": True}}}
    if rules is not None:
        options = {"runOnly": {"type": "rule", "values": list(rules)}}
    page.evaluate(_source())
    found: list[str] = page.evaluate(_RUN, {"options": options, "most": MAX_ELEMENTS_TOLD})
    return found
