"""Draw what MIA sends to Discord as Discord shows it: docs/pictures/discord.png, from the very bodies that are posted.

    python scripts/discord_picture.py [--out FILE]

The facts are invented; the messages are made by the code that sends them (tests/fakes/spoken.py), the bodies by the
webhook's own `payload_of`. Only the drawing is ours: an embed in Discord's dark theme.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mia_kernel.adapters.discord import payload_of  # noqa: E402
from mia_kernel.adapters.papermill_report import find_chromium  # noqa: E402
from mia_kernel.core.session import NEW_YORK  # noqa: E402
from tests.fakes import spoken  # noqa: E402

WIDTH = 1200
STYLE = """
body { margin: 0; padding: 12px 16px; background: #313338; color: #dbdee1;
  font: 14px/1.35 "gg sans", "Noto Sans", sans-serif; }
main { columns: 2; column-gap: 24px; }
article { break-inside: avoid; padding: 0 0 14px 52px; position: relative; }
article::before { content: "M"; position: absolute; left: 0; top: 2px; width: 38px; height: 38px; border-radius: 50%;
  background: #1a1f27; color: #e6e9ef; font: 600 18px/38px sans-serif; text-align: center; }
.who { font-weight: 600; color: #f2f3f5; }
.who b { background: #5865f2; border-radius: 3px; padding: 0 4px; font-size: 10px; margin: 0 6px; }
.who time, .foot { color: #949ba4; font-size: 12px; font-weight: 400; }
.embed { background: #2b2d31; border-left: 4px solid; border-radius: 4px; padding: 8px 14px 10px;
  margin-top: 4px; }
h3 { margin: 4px 0 6px; font-size: 15px; color: #f2f3f5; } p { margin: 0 0 6px; }
.fields { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 6px 10px; }
.fields dt { font-weight: 600; color: #f2f3f5; font-size: 13px; } .fields dd { margin: 0; overflow-wrap: anywhere; }
dl { margin: 0; } .wide { grid-column: 1 / -1; } .foot { margin-top: 8px; }
"""


def article(body: dict[str, Any]) -> str:
    """Return one message as Discord lays it out: inline fields three in a row, the others across."""
    (embed,) = body["embeds"]
    when = datetime.fromisoformat(embed["timestamp"]).astimezone(NEW_YORK)
    fields = "".join(
        f"<dl class='{'' if f['inline'] else 'wide'}'><dt>{html.escape(f['name'])}</dt>"
        f"<dd>{html.escape(f['value'])}</dd></dl>"
        for f in embed["fields"]
    )
    return (
        f"<article><div class=who>{html.escape(body['username'])}<b>APP</b><time>{when:%H:%M}</time></div>"
        f"<div class=embed style='border-color:#{embed['color']:06x}'><h3>{html.escape(embed['title'])}</h3>"
        f"<p>{html.escape(embed['description'])}</p><div class=fields>{fields}</div>"
        f"<div class=foot>{html.escape(embed['footer']['text'])} • {when:%d/%m/%Y %H:%M}</div></div></article>"
    )


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "discord.png")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIA_HOME", home)
        kinds = {message.title: message for message in spoken.everything(patch)}
        articles = "".join(article(payload_of(message)) for message in kinds.values())
        articles = articles.replace(home, "~/mia")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"] if root else [])
        page = browser.new_page(viewport={"width": WIDTH, "height": 400})
        page.set_content(f"<style>{STYLE}</style><main>{articles}</main>")
        page.screenshot(path=given.out, full_page=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
