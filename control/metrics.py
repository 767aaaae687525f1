"""/metrics on loopback: figures that the parts keep as plain numbers, read when asked.

No hot path touches a metrics library: a collector reads counters at scrape time, and the page is
rendered in the exporter's own thread, off the loop. Reading an int of another thread is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from holdfast.control.loop_lag import BOUNDS_S, LoopLag

ADDRESS = "127.0.0.1"


class Figure(NamedTuple):
    """One number on the page. name: without the prefix "holdfast_"; a counter only grows."""

    name: str
    text: str
    read: Callable[[], float]
    counter: bool = False


class ControlCollector(Collector):
    """The control node's figures and the histogram of its loop's lag."""

    def __init__(self, lag: LoopLag, figures: list[Figure]) -> None:
        self._lag = lag
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Called by the exporter for each scrape."""
        yield self._histogram()
        yield GaugeMetricFamily(
            "holdfast_loop_lag_max_seconds",
            "The latest that a timer of the event loop came since the last scrape.",
            value=self._lag.take_max_s(),
        )
        for figure in self._figures:
            family = CounterMetricFamily if figure.counter else GaugeMetricFamily
            yield family(f"holdfast_{figure.name}", figure.text, value=figure.read())

    def _histogram(self) -> HistogramMetricFamily:
        total, buckets = 0, []
        for bound, count in zip(BOUNDS_S, self._lag.counts, strict=False):
            total += count
            buckets.append((repr(bound), total))
        buckets.append(("+Inf", total + self._lag.counts[-1]))
        name = "holdfast_loop_lag_seconds"
        text = "How late timers of the event loop came."
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._lag.sum_s)


def serve(port: int, collector: Collector) -> Callable[[], None]:
    """Serve /metrics on loopback. Returns the function that ends it.

    Raises OSError when the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    server, thread = start_http_server(port, ADDRESS, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
