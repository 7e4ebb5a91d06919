"""buildlogs' one Django app; docs/architecture.md names its rooms and who may import whom."""

__version__ = "0.1.0"
