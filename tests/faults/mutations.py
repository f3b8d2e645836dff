"""Broken events, made of good ones: each kind of breakage with all its variants, by dice.

A record says what must become of it where that is known without the engine, and what the engine alone is to be given
for it: most often the same bytes."""

import copy
import datetime
import json
import random
from collections import namedtuple

# beginnings: what its reason must begin with, one of them; (""): it must be rejected, for whatever reason; None: the
# engine alone decides.  line: what that is given; None: nothing, since the record is surely rejected or a file can't
# hold it.  time: of the record, ms; None: when it is sent.
Record = namedtuple("Record", "kind topic subject key value headers time line beginnings")

ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")
REQUIRED = ("specversion", "id", "source", "type")
NO_TEXTS = (5, -1, 1.5, True, False, [], ["x"], {}, {"x": 1})
# Fields that each type surely reads, with what they surely can't be.
READ = {
    "cn.medical.settled": {"self_paid": ("much", True, [1], {}), "settled_on": ("the fourth", "2026-13-01", True),
                           "settlement_no": (None, [], {})},
    "cn.household.profile": {"dibao": ("yes", 1, []), "category": ("另一类", 7)},
    "cn.household.person.changed": {"born": ("soon", True, {}), "wage": ("much", []), "seriously_ill": ("no", 0)},
    "cn.household.income": {"income": ("much", {}, True), "month": ("2026-14", False)},
}
NUMBERS = {"cn.medical.settled": "self_paid", "cn.household.income": "income", "cn.household.person.changed": "wage"}
NO_NUMBERS = ("NaN", "Infinity", "-Infinity", "0x10", "1_000", "01", "+1", "1.", ".5", "1e", "--1", "1 000", "１２",
              "nil")
ODD_NUMBERS = ("1e999", "-1e999", "1e-999", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
               "18446744073709551616", "1.7976931348623157e308", "5e-324", "-0", "-0.0", "1E5", "9" * 400,
               "0." + "3" * 400, "1" + "0" * 308, "123456789012345678901234567890", "0.1e1", "100e-2")
NO_TIMES = ("yesterday", "2025-02-30T10:00:00+08:00", "2025-01-01", "2025-01-01T10:00:00", "2025-01-01T24:00:00Z",
            "2025-01-01T23:60:00Z", "2025-01-01T10:00:00+25:00", " 2025-01-01T10:00:00Z", "1735689600",
            "20250101T100000Z", "2025-13-01T00:00:00Z", "2025-00-10T00:00:00Z", "2025-1-1T1:00:00Z", "Z",
            "２０２５-01-01T10:00:00Z")
OLD_TIMES = ("0001-01-01T00:00:00Z", "1582-10-15T12:00:00Z", "1900-01-01T00:00:00+08:05", "1969-12-31T23:59:59Z",
             "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999999+08:00")
FUTURE_TIMES = ("2038-01-19T03:14:08Z", "2100-02-28T23:59:59+08:00", "2262-04-11T23:47:17Z", "9998-12-31T00:00:00Z",
                "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999-23:59")
NO_UTF8 = (b"\xe5", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xff")
REJECTS_OWN = ("topic", "partition", "offset", "reason", "watch")  # headers
NO_EVENTS = (b"[]", b"{}", b"42", b"true", b'"text"', b'{"a":1}', b"<event/>", b"a;b;c", b"---\na: b", b"{'a': 1}",
             b"\x00", b"\x00" * 100, b"\x1f\x8b\x08\x00\x00\x00\x00\x00", b"\xac\xed\x00\x05sr\x00\x10",
             b"\x00\x00\x00\x00\x01\x02h-1", b"undefined", b"{", b"}", b"]", b'{"', b"\xff\xfe",
             b"\xef\xbb\xbf", b"null", b"\\", b"\xf0\x9f\x98\x80")


def text(event):
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def first_of_each(pairs):
    found = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def subject_of(value, otherwise):
    """As far as Python's JSON sees it: of duplicates the first."""
    try:
        event = json.loads(value.decode(), object_pairs_hook=first_of_each)
        subject = event.get("subject")
    except (ValueError, AttributeError, RecursionError):
        return otherwise
    return subject if isinstance(subject, str) and subject else otherwise


def milliseconds(time):
    return int(datetime.datetime.fromisoformat(time).timestamp() * 1000)


class Mutations:
    """Mutations(seed, events topic, feedback topic).make(kind, event) is a Record; event is a good one, parsed."""

    def __init__(self, seed, events, feedback):
        self.dice, self.events, self.feedback = random.Random(seed), events, feedback
        self.made, self.subject = 0, None

    def make(self, kind, event):
        """Another of the kind, made of a copy of the event with an id of its own."""
        self.made += 1
        event = copy.deepcopy(event)
        event["id"] = f"broken-{self.made}"
        self.subject = event["subject"]
        return getattr(self, kind.replace("-", "_"))(kind, event)

    def record(self, kind, event, value, beginnings=None):
        """A value as it stands, without a key."""
        if isinstance(value, dict):
            value = text(value)
        lines = b"\n" in value or not value.strip(b"\r")
        assert not lines or beginnings, (kind, value)
        return Record(kind, self.events, subject_of(value, self.subject), None, value, [], None,
                      None if lines else value, beginnings)

    def accepted(self, kind, event, key=None, value=b"", headers=(), time=None):
        """Another way to say the event."""
        return Record(kind, self.events, self.subject, key, value, list(headers), time, text(event), None)

    def refused(self, kind, event, beginning, value, headers=(), key=None):
        """What no file can hold."""
        return Record(kind, self.events, self.subject, key, value, list(headers), None, None, (beginning,))

    # --- kinds

    def cut(self, kind, event):
        value = text(event)
        return self.record(kind, event, value[:self.dice.randrange(1, len(value) - 1)], ("",))

    def wrong_type(self, kind, event):
        fields = READ.get(event["type"], {})
        if fields and self.dice.random() < 0.6:
            name = self.dice.choice(sorted(fields))
            event["data"][name] = self.dice.choice(fields[name])
            return self.record(kind, event, event, ("data." + name, "key"))
        if self.dice.random() < 0.2:
            event["data"] = self.dice.choice((5, "text", [], [{}], True))
            return self.record(kind, event, event, ("data:",) if fields else None)
        name = self.dice.choice(ATTRIBUTES)
        event[name] = self.dice.choice(NO_TEXTS)
        return self.record(kind, event, event, (name + ":",))

    def encoding(self, kind, event):
        event["data"]["note"] = event["data"]["remark"] = "自付医疗费😀"
        event["source"] = "/医保"
        value = text(event)
        how = self.dice.randrange(8)
        if how == 0:
            broken = value.decode().replace("😀", "").encode("gb18030")
        elif how == 1:
            broken = value.decode().encode(self.dice.choice(("utf-16", "utf-16-le", "utf-32-be")))
        elif how == 2:
            at = value.index("医".encode())
            broken = value[:at] + self.dice.choice(NO_UTF8) + value[at + 3:]
        else:
            return self.record(kind, event, value.replace("/医保".encode(), self.dice.choice(
                (b"\\ud800", b"\\u0000", b"\\udc00\\ud800", b"a\x00b", b"a\tb", b"\\x41", b"\\u12", b"\\u00e5"))))
        return self.record(kind, event, broken, ("",))

    def nesting(self, kind, event):
        depth = self.dice.choice((2, 30, 100, 1000, 1023, 1024, 5000, 50000))
        opened, closed = self.dice.choice(((b"[", b"]"), (b'{"a":', b"}")))
        deep = opened * depth + b"1" + (closed * depth if self.dice.random() < 0.7 else b"")
        place = self.dice.choice(("note", "data", "field", "attribute", "unknown"))
        fields = sorted(READ.get(event["type"], {}))
        if place == "field" and fields:
            event["data"][fields[0]] = "DEEP"
        elif place == "data":
            event["data"] = "DEEP"
        elif place == "attribute":
            event["source"] = "DEEP"
        elif place == "unknown":
            event["extension"] = "DEEP"
        else:
            event["data"]["note"] = "DEEP"
        return self.record(kind, event, text(event).replace(b'"DEEP"', deep),
                           ("source", "event") if place == "attribute" else None)

    def number(self, kind, event):
        field = NUMBERS.get(event["type"])
        odd = self.dice.random() < 0.5
        value = self.dice.choice(ODD_NUMBERS if odd else NO_NUMBERS)
        event["data"][field or "number"] = "NUMBER"
        return self.record(kind, event, text(event).replace(b'"NUMBER"', value.encode()),
                           None if odd or not field else ("data", "event"))

    def long_text(self, kind, event):
        name, length = self.dice.choice((("id", 1025), ("id", 100000), ("source", 1025), ("source", 20000),
                                         ("time", 70000), ("subject", 257), ("subject", 70000), ("type", 5000),
                                         ("data", 70000), ("id", 1024), ("source", 1000), ("unknown", 200000)))
        long = self.dice.choice("x长") * length
        long = long.encode()[:length].decode(errors="ignore") if name != "subject" else long
        if name == "data":
            event["data"]["note"] = long
            return self.record(kind, event, event)
        event[name] = long
        sure = name in ATTRIBUTES and len(long.encode()) > (256 if name == "subject" else 1024)
        return self.record(kind, event, event, (name + ":",) if sure else None)

    def duplicate_key(self, kind, event):
        value = text(event)
        name = self.dice.choice(("id", "source", "type", "subject", "time", "data", "specversion"))
        other = json.dumps(self.dice.choice(("other", 5, None, {"x": 1}, event[name])), ensure_ascii=False)
        if self.dice.random() < 0.4:  # it comes second and doesn't count
            return self.record(kind, event, value[:-1] + f',"{name}":{other}}}'.encode())
        if name == "data" or self.dice.random() < 0.3:
            fields = sorted(READ.get(event["type"], {"note": 0}))
            inside = f'"data":{{"{fields[0]}":{other},'.encode()
            return self.record(kind, event, value.replace(b'"data":{', inside if event["data"] else b'"data":{'))
        return self.record(kind, event, b"{" + f'"{name}":5,'.encode() + value[1:], (name + ":",))

    def missing(self, kind, event):
        name = self.dice.choice(ATTRIBUTES + ("data", "field"))
        if name == "field":
            if event["data"]:
                del event["data"][self.dice.choice(sorted(event["data"]))]
            return self.record(kind, event, event)
        lacks = {key: value for key, value in event.items() if key != name}
        if name not in REQUIRED and self.dice.random() < 0.3:
            lacks[name] = None
        if name == "data":
            return self.record(kind, event, lacks, ("data:",) if event["type"] in READ else None)
        if name == "subject" and self.dice.random() < 0.5:
            return self.accepted(kind, event, event["subject"].encode(), text(lacks))
        if name == "time":
            return self.accepted(kind, event, None, text(lacks), time=milliseconds(event["time"]))
        return self.record(kind, event, lacks, (name + ":",))

    def time(self, kind, event):
        if self.dice.random() < 0.5:
            event["time"] = self.dice.choice(NO_TIMES)
            return self.record(kind, event, event, ("time:",))
        day, rest = event["time"][:10], event["time"][10:]
        event["time"] = self.dice.choice(OLD_TIMES + (
            day + rest.lower(), day + rest.replace("T", "t"), day + " " + rest[1:], day + rest[:9] + "-00:00",
            day + rest[:9] + ".123456789123" + rest[9:], day + rest[:9], day + rest[:7] + "60Z", rest, ""))
        return self.record(kind, event, event)

    def future(self, kind, event):
        event["time"] = self.dice.choice(FUTURE_TIMES)
        return self.record(kind, event, event)

    def flipped_bytes(self, kind, event):
        while True:
            value = bytearray(text(event))
            for _ in range(self.dice.choice((1, 1, 1, 2, 4, 8))):
                at = self.dice.randrange(len(value))
                how = self.dice.randrange(4)
                if how == 0:
                    value[at] ^= 1 << self.dice.randrange(8)
                elif how == 1:
                    value[at] = self.dice.randrange(256)
                elif how == 2:
                    del value[at]
                else:
                    value.insert(at, self.dice.randrange(256))
            value = bytes(value)
            if b"\n" not in value and f'"time":"{event["time"]}"'.encode() in value:  # a time of the year 8025 ends all
                return self.record(kind, event, value)

    def binary(self, kind, event):
        """The attributes in headers, the data as the value."""
        headers = [["ce_" + name, event[name]] for name in ATTRIBUTES] + [["content-type", "application/json"]]
        if self.dice.random() < 0.3:  # it was in the rejects before, and somebody sent it again
            headers += [[name, "another"] for name in REJECTS_OWN]
        value, variant = text(event["data"]), self.dice.randrange(12)
        name = self.dice.choice(ATTRIBUTES)
        reads = event["type"] in READ

        def changed(*pairs, drop=()):
            new = dict(pairs)
            return [[n, new.get(n, v)] for n, v in headers if n not in drop]

        if variant == 0:
            return self.accepted(kind, event, None, value, headers)
        if variant == 1:  # of duplicates the first counts
            return self.accepted(kind, event, None, value, headers + [["ce_" + name, "other"]])
        if variant == 2:
            name = self.dice.choice(REQUIRED)
            return self.refused(kind, event, name + ":", value, changed(drop=("ce_" + name,)))
        if variant == 3:
            return self.refused(kind, event, name + ":", value, changed(("ce_" + name, b"a\xff\xfe")))
        if variant == 4:
            return self.refused(kind, event, name + ":", value, changed(("ce_" + name, "")))
        if variant == 5:
            return self.refused(kind, event, "time:", value, changed(("ce_time", self.dice.choice(NO_TIMES))))
        if variant == 6:
            return self.refused(kind, event, "id:", value, changed(("ce_id", "x" * self.dice.choice((1025, 60000)))))
        if variant == 7:
            return self.refused(kind, event, "content-type:", value, changed(("content-type", self.dice.choice(
                ("application/cloudevents-batch+json", "application/cloudevents+avro", "application/cloudevents")))))
        if variant == 8:
            return self.refused(kind, event, "specversion:", value,
                                changed(("content-type", "application/cloudevents+json")))
        if variant == 9:
            return self.accepted(kind, event, event["subject"].encode(), value, changed(drop=("ce_subject",)))
        if not reads:
            return self.refused(kind, event, "type:", value, changed(("ce_type", "no.such.type")))
        if variant == 10:
            return self.refused(kind, event, "content-type:", value, changed(("content-type", "text/plain")))
        broken = self.dice.choice((None, b"", b"[]", b"5", value[:len(value) // 2]))
        return self.refused(kind, event, "data", broken, headers)

    def null_or_empty(self, kind, event):
        key = self.dice.choice((None, event["subject"].encode(), b"\xff\xfe"))
        value = self.dice.choice((None, None, b"", b" ", b"\n", b"\r\n", b"\t\t", b"null\n", b"\n\n{}"))
        return self.refused(kind, event, "event:" if value != b"\n\n{}" else "specversion:", value, key=key)

    def large(self, kind, event):
        size, how = self.dice.randrange(600000, 990000), self.dice.randrange(4)
        if how == 0:
            event["data"]["note"] = "x" * size
            return self.record(kind, event, event)
        if how == 1:
            return self.record(kind, event, text(event)[:-1] + b" " * size + b"}")
        if how == 2:
            event["source"] = "x" * size
            return self.record(kind, event, event, ("source:",))
        return self.record(kind, event, (text(event) + b",") * (size // len(text(event))), ("",))

    def not_an_event(self, kind, event):
        value, how = text(event), self.dice.randrange(8)
        made = {0: b"[" + value + b"]", 1: value + value, 2: value + b",", 3: value[:-1] + b",}", 4: b"/* */" + value,
                5: value.replace(b'"', b"'"), 6: json.dumps(value.decode()).encode()}.get(how)
        return self.record(kind, event, made or self.dice.choice(NO_EVENTS), ("",))

    def answer(self, kind, event):
        """Of a unit, to a case."""
        subject = event["subject"]
        data = {"case": f"household/{subject}/office/1", "by": "李", "at": event["time"], "message_no": 1}
        field, broken = self.dice.choice((
            ("case", None), ("case", 5), ("case", ""), ("case", "household"), ("case", "village/x/office/1"),
            ("case", "household/another/office/1"), ("case", "household/" + "x" * 600 + "/office/1"), ("by", 5),
            ("at", "soon"), ("at", 5), ("note", []), ("until", "never"), ("message_no", 0), ("message_no", "one"),
            ("message_no", 1.5), ("rules", "all"), ("rules", [5]), ("rules", [""]), ("measure", {}),
            ("when", "2025-02-30")))
        data[field] = broken
        event = {**event, "type": "case." + self.dice.choice(("handled", "acknowledged", "confirmed", "not_confirmed")),
                 "data": data}
        beginning = "subject:" if broken == "household/another/office/1" else f"data.{field}:"
        return Record(kind, self.feedback, subject, subject.encode(), text(event), [], None, None, (beginning,))


KINDS = ("cut", "wrong-type", "encoding", "nesting", "number", "long-text", "duplicate-key", "missing", "time",
         "flipped-bytes", "binary", "null-or-empty", "not-an-event", "answer", "large", "future")
