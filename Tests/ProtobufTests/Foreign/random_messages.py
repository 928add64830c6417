"""Random messages of any type, made from its descriptor."""

from google.protobuf.descriptor import FieldDescriptor as F

TEXT = 'aé日\U0001F600"\\\n\x00\x7f z/\u2028<'
INT_BITS = {
    F.TYPE_INT32: (-(2**31), 2**31 - 1), F.TYPE_SINT32: (-(2**31), 2**31 - 1),
    F.TYPE_SFIXED32: (-(2**31), 2**31 - 1), F.TYPE_UINT32: (0, 2**32 - 1),
    F.TYPE_FIXED32: (0, 2**32 - 1), F.TYPE_INT64: (-(2**63), 2**63 - 1),
    F.TYPE_SINT64: (-(2**63), 2**63 - 1), F.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    F.TYPE_UINT64: (0, 2**64 - 1), F.TYPE_FIXED64: (0, 2**64 - 1),
}
# Python writes these into JSON only for values that the types' own rules allow.
SKIPPED = {
    'google.protobuf.Any', 'google.protobuf.FieldMask', 'google.protobuf.Struct',
    'google.protobuf.Value', 'google.protobuf.ListValue', 'google.protobuf.NullValue',
}


class Maker:
    def __init__(self, random):
        self.random = random

    def text(self):
        r = self.random
        length = r.choice([0, 1, 5, 14, 15, 16, 17, 40, 130, 200])
        return ''.join(r.choice(TEXT) for _ in range(length))

    def double(self):
        r = self.random
        return r.choice([
            0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, float('inf'), float('-inf'), r.random(),
            r.uniform(-1e18, 1e18), 1e16, 123456789012345680.0])

    def integer(self, low, high):
        r = self.random
        value = r.choice([0, 1, -1, low, high, r.getrandbits(r.randint(1, 64)),
                          -r.getrandbits(r.randint(1, 63))])
        return min(max(value, low), high)

    def scalar(self, field):
        r = self.random
        if field.type in INT_BITS:
            return self.integer(*INT_BITS[field.type])
        if field.type == F.TYPE_STRING:
            return self.text()
        if field.type == F.TYPE_BYTES:
            return bytes(r.getrandbits(8) for _ in range(r.choice([0, 1, 2, 3, 4, 127, 128, 300])))
        if field.type == F.TYPE_BOOL:
            return r.random() < .5
        if field.type == F.TYPE_DOUBLE:
            return self.double()
        if field.type == F.TYPE_FLOAT:
            # Not the largest: Python refuses its shortest form, 3.4028235e+38.
            return r.choice([0.0, -0.0, 1.0, 0.5, float('inf'), 1.401298464324817e-45,
                             0.10000000149011612, 1.0000000150474662e+30])
        if field.type == F.TYPE_ENUM:
            numbers = [v.number for v in field.enum_type.values]
            return r.choice(numbers + [77, -5])
        raise AssertionError(field.type)

    def fill(self, message, depth=0):
        r = self.random
        name = message.DESCRIPTOR.full_name
        if name == 'google.protobuf.Timestamp':
            message.seconds = r.randint(-62135596800, 253402300799)
            message.nanos = r.choice([0, 1, 1000, 1000000, 999999999, 120000000])
            return message
        if name == 'google.protobuf.Duration':
            message.seconds = r.randint(-315576000000, 315576000000)
            message.nanos = r.choice([0, 5, 7000, 500000000]) * (-1 if message.seconds < 0 else 1)
            return message
        fields = message.DESCRIPTOR.fields
        # Large types get few fields, or every message would have all sizes alike.
        share = min(.7, r.choice([2, 12]) / max(len(fields), 1))
        for field in fields:
            kind = field.message_type or field.enum_type
            if r.random() > share or kind and kind.full_name in SKIPPED:
                continue
            if field.message_type and field.message_type.GetOptions().map_entry:
                self.fill_map(message, field, depth)
            elif field.is_repeated:
                values = getattr(message, field.name)
                for _ in range(r.choice([0, 1, 3, 20 if not field.message_type else 2])):
                    if field.message_type:
                        self.fill(values.add(), depth + 1)
                    else:
                        values.append(self.scalar(field))
            elif field.message_type:
                if depth < 4:
                    child = getattr(message, field.name)
                    child.SetInParent()
                    self.fill(child, depth + 1)
            else:
                setattr(message, field.name, self.scalar(field))
        return message

    def fill_map(self, message, field, depth):
        entry = field.message_type
        key, value = entry.fields_by_name['key'], entry.fields_by_name['value']
        values = getattr(message, field.name)
        for _ in range(self.random.choice([0, 1, 4])):
            if value.message_type:
                if depth < 4:
                    self.fill(values[self.scalar(key)], depth + 1)
            else:
                values[self.scalar(key)] = self.scalar(value)

    def mutant(self, data):
        """The same bytes with one to three small damages."""
        r = self.random
        data = bytearray(data)
        for _ in range(r.randint(1, 3)):
            kind = r.randint(0, 3)
            if kind == 0 and data:
                data[r.randrange(len(data))] = r.getrandbits(8)
            elif kind == 1 and data:
                del data[r.randrange(len(data)):]
            elif kind == 2:
                data.insert(r.randint(0, len(data)), r.getrandbits(8))
            else:
                data += bytes(r.getrandbits(8) for _ in range(r.randint(1, 6)))
        return bytes(data)
