"""Writes cldr.json with Babel: plural categories of whole numbers and long dates, by Unicode CLDR.

pip install babel==2.18.0; python tests/golden/babel/make_cldr.py
"""

import datetime
import json
from pathlib import Path

import babel
from babel.dates import format_date

NUMBERS = [
    0,
    1,
    2,
    3,
    4,
    5,
    10,
    11,
    12,
    14,
    15,
    20,
    21,
    22,
    25,
    99,
    100,
    101,
    102,
    103,
    111,
    112,
    121,
    137,
    1000,
    10**6,
]


def main() -> None:
    found = {"babel": babel.__version__}
    for code in ("ar", "en", "es", "fr", "hi", "pt", "ru", "zh"):
        rule = babel.Locale(code).plural_form
        found[code] = {
            "categories": sorted({*rule.tags, "other"}),
            "forms": {str(n): rule(n) for n in NUMBERS},
            "dates": [format_date(datetime.date(2027, m, 2 * m), "long", locale=code) for m in range(1, 13)],
        }
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    Path(__file__).with_name("cldr.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
