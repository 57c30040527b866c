# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server counts, for its operator; all labels are of closed lists (PPMF-API-019)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"})
NO_ROUTE = "none"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counts of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        to = self.registry
        self.requests = Counter(
            "ppmf_http_requests", "Requests answered.", ("route", "method", "status"), registry=to
        )
        self.seconds = Histogram(
            "ppmf_http_seconds",
            "How long requests took.",
            ("route",),
            buckets=_SECONDS,
            registry=to,
        )
        self.under_way = Gauge("ppmf_http_under_way", "Requests that are under way.", registry=to)
        self.uploads = Counter(
            "ppmf_uploads",
            "Uploads, withdrawals and what became of them.",
            ("outcome",),
            registry=to,
        )
        self.wrong_tokens = Counter(
            "ppmf_wrong_tokens", "Requests with a wrong token.", registry=to
        )

    def answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count a request. route: the pattern of its path, or None if it is none."""
        known = method if method in METHODS else "other"
        self.requests.labels(route or NO_ROUTE, known, str(status)).inc()
        self.seconds.labels(route or NO_ROUTE).observe(seconds)

    def gauge(
        self, name: str, about: str, label: str, values: Callable[[], Mapping[str, int]]
    ) -> None:
        """Add a gauge whose values, by label, are computed when somebody asks.

        label: "" for a gauge that has one value, under the label "", or none.
        """
        self.registry.register(_Asked(name, about, label, values))

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self.registry)


class _Asked(Collector):
    def __init__(
        self, name: str, about: str, label: str, values: Callable[[], Mapping[str, int]]
    ) -> None:
        self._named = name, about, label
        self._values = values

    def describe(self) -> Iterable[Metric]:
        """Nothing: the values may need a database that is not there yet."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The values of now."""
        name, about, label = self._named
        family = GaugeMetricFamily(name, about, labels=[label] if label else [])
        for key, value in self._values().items():
            family.add_metric([key] if label else [], value)
        return [family]


MEDIA_TYPE = CONTENT_TYPE_LATEST
