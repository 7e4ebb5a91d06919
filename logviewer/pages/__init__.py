"""The HTML views and the policy they are served under."""
