"""GET /metrics: what this process has done and how it stands, in Prometheus' text format (docs/metrics.md).

Counters live where things happen, as plain numbers; here they are read when somebody asks. It must not slow any other
path by more than a microsecond, nor read anything whose size grows with the number of logs without remembering it.
"""

from logviewer.doors.metrics.traffic import count_traffic

__all__ = ["count_traffic"]
