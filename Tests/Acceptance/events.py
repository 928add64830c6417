"""Counts events by another program than ours: one loop over the lines that `sample-data --emit` wrote."""

import json
import random
import uuid
from datetime import datetime, timedelta, timezone


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(time):
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Events:
    def __init__(self, path):
        self.by_product = {}
        self.first = self.last = None
        self.total = 0
        for line in open(path):
            event = json.loads(line)
            at = instant(event["occurred_at"])
            entry = (at, event["kind"], event.get("checkout_id"), int(event.get("count", 1)))
            self.by_product.setdefault(event["product_id"], []).append(entry)
            self.first = min(self.first or at, at)
            self.last = max(self.last or at, at)
            self.total += 1

    def count(self, request):
        """(views, payments) of a request's half-open period."""
        start = instant(request["period"]["start_time"])
        end = instant(request["period"]["end_time"])
        counts = {"VIEW": 0, "PAYMENT": 0}
        for at, kind, checkout, number in self.by_product.get(request["product_id"], []):
            if start <= at < end and request.get("checkout_id") in (None, checkout):
                counts[kind] += number
        return counts["VIEW"], counts["PAYMENT"]

    def request(self, rng, **more):
        """A random request; period ends often lie right on an event."""
        product = rng.choice(list(self.by_product))
        own = self.by_product[product]

        def end():
            if rng.random() < 0.5:
                return rng.choice(own)[0] + timedelta(microseconds=rng.choice([-1, 0, 1]))
            span = (self.last - self.first).total_seconds()
            return self.first + timedelta(seconds=rng.random() * span)

        start, stop = sorted((end(), end()))
        if start == stop:
            stop += timedelta(hours=1)
        request = {
            "case_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "product_id": product,
            "period": {"start_time": written(start), "end_time": written(stop)}, **more,
        }
        if rng.random() < 0.3:
            request["checkout_id"] = rng.choice(["checkout-1", "checkout-2"])
        return request


def check(report, request, events):
    """The figures of a report equal a plain count."""
    views, payments = events.count(request)
    assert int(report.get("views_count", 0)) == views, (report, request)
    assert int(report.get("payments_count", 0)) == payments, (report, request)
    if payments:
        assert abs(report["conversion_ratio"] - views / payments) < 1e-9 * max(1, views), report
    else:
        assert "conversion_ratio" not in report, report


def requests(events, count, seed, **more):
    rng = random.Random(seed)
    return [events.request(rng, **more) for _ in range(count)]
