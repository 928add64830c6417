"""Prints ticks of random cron expressions as croniter sees them, one expression a line:

    expression|zone|start|tick,tick,…     (seconds since 1970)

In a zone only ticks that are more than a day away from a change of the clock are compared: where clocks
change croniter has other rules than cron(8).
"""

import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

NAMES = {
    "month": "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(),
    "weekday": "SUN MON TUE WED THU FRI SAT".split(),
}
FIELDS = [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6)]


def field(random, name, low, high):
    def number(value):
        names = NAMES.get(name)
        return names[value - low] if names and random.random() < 0.5 else str(value)

    def item():
        kind = random.randrange(4)
        if kind == 0:
            return number(random.randint(low, high))
        if kind == 1:
            return f"*/{random.randint(2, max(2, high // 2))}"
        # A range of one number means every number to croniter.
        first = random.randint(low, high - 1)
        last = random.randint(first + 1, high)
        step = f"/{random.randint(1, 5)}" if kind == 2 else ""
        return f"{number(first)}-{number(last)}{step}"

    if random.random() < (0.2 if name == "minute" else 0.5):
        return "*"
    return ",".join(item() for _ in range(random.choice([1, 1, 2, 3])))


def is_calm(instant, zone):
    near = [(instant + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-26, 0, 26)]
    return near[0] == near[1] == near[2]


def main(seed, count):
    source = random.Random(seed)
    for _ in range(count):
        expression = " ".join(field(source, *limits) for limits in FIELDS)
        days = [(expression.split()[i], croniter.expand(expression)[0][i]) for i in (2, 4)]
        if any(not text.startswith("*") and values == ["*"] for text, values in days):
            continue  # all days, spelt out: * to croniter, but not to cron(8)
        name = source.choice(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
        zone = ZoneInfo(name)
        start = datetime.fromtimestamp(source.randint(1_600_000_000, 2_000_000_000), timezone.utc)
        # What croniter calls a bug is the rule of Vixie cron: both days where one of them begins with a star.
        iterator = croniter(
            expression, start.astimezone(zone), max_years_between_matches=10, implement_cron_bug=True)
        ticks = []
        try:
            for _ in range(5):
                tick = iterator.get_next(datetime).astimezone(timezone.utc)
                before = ticks[-1] if ticks else start
                if not (is_calm(before, zone) and is_calm(tick, zone)):
                    break
                ticks.append(tick)
        except Exception:  # no such day
            continue
        if ticks:
            print(expression, name, int(start.timestamp()), ",".join(str(int(t.timestamp())) for t in ticks), sep="|")


main(int(sys.argv[1]), int(sys.argv[2]))
