"""What can go wrong with webhooks. Each error says what was wrong, with what, and what to do."""

from __future__ import annotations

from logviewer.intake.errors import Conflict


class BadAddress(ValueError):
    """An address that nothing will ever be sent to."""


class InsideNetwork(Exception):
    """A receiver that lies inside the network, and is not one of those that are allowed."""

    def __init__(self, host: str, kind: str) -> None:
        super().__init__(
            f"{host} is {kind}: addresses inside the network are not told anything unless BUILDLOGS_WEBHOOK_ALLOW "
            "names them"
        )


class TooManyWebhooks(Conflict):
    """A project has as many webhooks as it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the project has {most} webhooks, and may not have more: delete one first")


class Inactive(Conflict):
    """To an inactive webhook nothing is sent."""

    def __init__(self) -> None:
        super().__init__("the webhook is inactive: make it active first")
