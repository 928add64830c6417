"""Damages pipeline files as an editor's hand does, and as a disk does; a seed repeats it.

A mutation is named by its kind, so that a test can say how many of each were refused.
"""

import json
import random
import re

KINDS = ("delete", "duplicate", "retype", "respell", "rename key", "rename value", "move", "truncate", "flip bits")

# Files that values may be read from, by name: those who take the mutants have to write them.
FILES = {"duration": "10m", "padded": "10 min\n", "count": "50", "address": "memory:1MiB\n"}

# What somebody might have written instead: other types, other settings' values, nothing at all.
WRONG = [
    None, True, False, 0, -1, 5, 1.5, 10**30, "", "x", "12h", "-5s", "0s", "500ms", "10 min", "10m ", "1h 30m", "ingest", "accumulate", "cache",
    "publish", "generate", "bus", "store", "api", "raw", "report-request", "conversion-event", "report-ready", "é" * 300,
    "\0", "report-requests", "memory:", "memory:1MiB", "stdio:", "file:lines", "embedded:", "embedded:other.sqlite",
    "kafka://", "redis://a:99999", "grpc://", "grpc://127.0.0.1:0", "conversion:x", [], [[]], {}, {"$env": "UNSET"},
    {"$env": 5}, {"$file": "nowhere"}, {"$file": "duration"}, {"$env": "UNSET", "default": {"a": 1}}, {"count": 0}, {"count": 5},
    {"max_age": "900d"}, {"manual": True}, {"idle": "1m"}, {"cron": "0 0 30 2 *"}, {"cron": "0 6 * * *"}, {"any": []},
    {"all": [{"count": 5}, {"every": "1h"}]}, {"partitions": 0},
]


class Members(list):
    """An object as its members: [key, value] each, so that a key may stand twice."""


def tree(text):
    return json.loads(text, object_pairs_hook=lambda pairs: Members([key, value] for key, value in pairs))


def written(node, indent="\n"):
    if not isinstance(node, list) or not node:
        return "{}" if isinstance(node, Members) else json.dumps(plain(node), ensure_ascii=False)
    deeper = indent + "  "
    if isinstance(node, Members):
        parts = [json.dumps(key, ensure_ascii=False) + ": " + written(value, deeper) for key, value in node]
        return "{" + deeper + ("," + deeper).join(parts) + indent + "}"
    return "[" + deeper + ("," + deeper).join(written(item, deeper) for item in node) + indent + "]"


def plain(node):
    return {key: value for key, value in node} if isinstance(node, Members) else node


def copied(node):
    if isinstance(node, Members):
        return Members([key, copied(value)] for key, value in node)
    return [copied(item) for item in node] if isinstance(node, list) else node


def containers(node):
    """Every object and list that holds something."""
    found = [node] if isinstance(node, list) and node else []
    for item in node if isinstance(node, list) else []:
        found += containers(item[1] if isinstance(node, Members) else item)
    return found


def respellings(value):
    """Other ways to write a value, most of them right; none where there is but one."""
    if isinstance(value, Members):
        keys = dict(value)
        if "$env" not in keys or not isinstance(keys.get("default"), (int, str)):
            return []
        if isinstance(keys["default"], str):
            return [{"$file": "address"}, {"$env": "UNSET", "default": keys["default"], "unit": "h"}, keys["default"]]
        if "unit" in keys:
            return [{"$file": "duration"}, {"$file": "padded"}, {"$env": "UNSET", "default": "12 h"}, "12 h", "12h ",
                    {"$env": "UNSET", "unit": "min", "default": 720}]
        return [{"$file": "count"}, keys["default"], {"$env": "UNSET", "default": str(keys["default"])}, {"$file": "duration"}]
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [{"$file": "count"}, {"$env": "UNSET", "default": value}, str(value), f"{value} ", float(value)]
    match = isinstance(value, str) and re.fullmatch(r"([0-9]+)([a-z]+)", value)
    if not match:
        return []
    number, unit = match.groups()
    long = "min" if unit == "m" else unit
    return [
        f"{number} {unit}", f"{number} {long}", f"{number}{long}", f"{value} ", f" {value}", f"  {number}  {long}  ",
        f"{value} 1ms", f"{number}.5{unit}", {"$file": "duration"}, {"$file": "padded"}, {"$env": "UNSET", "default": f"{number} {long}"},
        {"$env": "UNSET", "default": int(number), "unit": long}, f"{number} minutes", f"{value}\n", f"{number}{unit.upper()}",
        f"\t{value}", f"1ms {value}", f"{number},5{unit}", int(number),
    ]


class Mutator:
    def __init__(self, texts, seed):
        self.texts = texts
        self.random = random.Random(seed)

    def mutation(self, kind=None):
        """(kind, the damaged file's bytes)"""
        kind = kind or self.random.choice(KINDS)
        text = self.random.choice(self.texts)
        if kind == "truncate":
            data = text.encode()
            start = self.random.randrange(len(data))
            # Half of the time the end is lost, half of the time a piece of the middle.
            end = len(data) if self.random.random() < 0.5 else start + self.random.randint(1, 40)
            return kind, data[:start] + data[end:]
        if kind == "flip bits":
            data = bytearray(text.encode())
            for _ in range(self.random.randint(1, 3)):
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            return kind, bytes(data)
        root = tree(text)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            self.damage(root, kind)
        return kind, (written(root) + "\n").encode()

    def damage(self, root, kind):
        holders = containers(root)
        if not holders:
            return
        holder = self.random.choice(holders)
        index = self.random.randrange(len(holder))
        isObject = isinstance(holder, Members)
        if kind == "delete":
            del holder[index]
        elif kind == "duplicate":
            holder.insert(self.random.randint(0, len(holder)), copied(Members([holder[index]])[0]))
        elif kind == "respell":
            places = [(some, place, respellings(item[1] if isinstance(some, Members) else item))
                      for some in holders for place, item in enumerate(some)]
            holder, index, values = self.random.choice([place for place in places if place[2]])
            value = copied(tree(json.dumps(self.random.choice(values))))
            if isinstance(holder, Members):
                holder[index][1] = value
            else:
                holder[index] = value
        elif kind == "rename key":
            objects = [holder for holder in holders if isinstance(holder, Members)]
            member = self.random.choice(self.random.choice(objects))
            member[0] = self.misspelt(member[0], [key for some in objects for key, _ in some])
        elif kind == "move":
            taken = holder.pop(index)
            targets = [other for other in containers(root) if isinstance(other, Members) == isObject] or [holder]
            target = self.random.choice(targets)
            target.insert(self.random.randint(0, len(target)), taken)
        else:
            value = holder[index][1] if isObject else holder[index]
            if kind == "retype":
                value = copied(tree(json.dumps(self.random.choice(WRONG))))
            elif isinstance(value, str):
                value = self.misspelt(value, [])
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                value = self.random.choice((0, -value, value + 1, value * 1000, value / 3))
            else:
                return self.damage(root, kind)
            if isObject:
                holder[index][1] = value
            else:
                holder[index] = value

    def misspelt(self, text, others):
        """Another word, or this one with a letter lost, doubled, swapped or in capitals."""
        place = self.random.randrange(len(text)) if text else 0
        return self.random.choice([
            text[:place] + text[place + 1:], text[:place + 1] + text[place:],
            text[:place] + text[place + 1:place + 2] + text[place:place + 1] + text[place + 2:],
            text.upper(), text + "x", self.random.choice(others or [text + "-2"]),
        ])
