"""Values: as JSON and YAML give them, money in whole fen, and as messages show them."""
import decimal
import json
import math

from calendar_days import Ts
from expression import UNKNOWN


class Reject(ValueError):
    """The event is rejected; the text says why."""


def fen(text):
    """Whole fen, half up (away from zero) by the decimal digits as written."""
    return int(decimal.Decimal(text).scaleb(2).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def rounded(v):
    """To fen, by its 15 significant digits, so that the noise of doubles decides nothing."""
    return fen(f"{v:.15g}") / 100 if abs(v) < 9e13 else UNKNOWN      # infinity has no fen: an evaluation error


def is_money(described):
    return described.get("unit", "").startswith("yuan")


def is_number(v):
    return isinstance(v, (int, decimal.Decimal)) and not isinstance(v, bool)


def initial(config, field):
    kind = field.get("type")
    if "default" not in field:
        return UNKNOWN
    text = field["default"]
    return read(config, field, json.loads(text, parse_float=decimal.Decimal) if kind in ("bool", "int", "double") else text)


def read(config, field, v):
    """A JSON value (numbers with a fraction as Decimal) as the field's, or Reject."""
    kind = "enum" if "enum" in field else field["type"]
    if kind == "date" and isinstance(v, str):
        return Ts(config.clock.midnight(config.clock.day(config.clock.moment(v))))
    if kind == "double" and is_number(v):
        return fen(v) / 100 if is_money(field) else float(v)
    if kind == "bool" and isinstance(v, bool) or kind == "int" and is_number(v) and isinstance(v, int) \
            or kind == "string" and isinstance(v, str) or kind == "enum" and v in field["enum"]:
        return v
    raise Reject(f"expected {kind}")


def key_of(v):
    if isinstance(v, bool) or not isinstance(v, (str, int)) or v == "":
        raise Reject("a missing key")
    return str(v)


def plain(clock, v):
    """As JSON has it: infinity has no number there."""
    if v is UNKNOWN or (isinstance(v, float) and math.isinf(v)):
        return None
    return str(clock.day(v)) if isinstance(v, Ts) else v


def text(clock, v):
    """At most two decimals and no trailing zeros, dates 2023-06-01, unknown `?`."""
    v = plain(clock, v)
    if v is None or isinstance(v, bool):
        return "?" if v is None else str(v).lower()
    if isinstance(v, float):
        digits = format(decimal.Decimal(fen(f"{v:.15g}")).scaleb(-2), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(v)
