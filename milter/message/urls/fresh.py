"""Hosts that look as if they were made for one mailing.

They lie on services where anybody has a name at once and for nothing, or are called as only
programs call things. Each has good uses, so it is little evidence alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# Services that give a name below theirs, or a path, without asking who wants it.
_FREE_HOSTS_NAMES: Final = """
000webhostapp.com a.run.app azurewebsites.net azureedge.net azurestaticapps.net backblazeb2.com
b-cdn.net carrd.co cfargotunnel.com cloudfront.net codesandbox.io cprapid.com
ddns.net dweb.link duckdns.org firebaseapp.com firebasestorage.googleapis.com fleek.co fly.dev
framer.app framer.website gitbook.io gitlab.io glitch.me godaddysites.com
hostingerapp.com herokuapp.com ipfs.io jimdosite.com loca.lt lovable.app mybluehost.me
myftp.biz myshopify.com netlify.app ngrok.app ngrok.io ngrok-free.app notion.site no-ip.org
onrender.com pages.dev plesk.page pythonanywhere.com r2.dev railway.app repl.co replit.app
serveo.net servehttp.com shorturl.at sites.google.com square.site storage.googleapis.com
strikingly.com surge.sh trycloudflare.com typedream.app ukit.me vercel.app webcindario.com
webflow.io weebly.com weeblysite.com web.app windows.net wixsite.com wixstudio.com
wordpress.com workers.dev yolasite.com zapto.org zeabur.app
"""
_FREE_HOSTS: Final = frozenset(_FREE_HOSTS_NAMES.split())
# A name of letters and digits in turn, or without a vowel for long: nobody could say it.
_TURNS: Final = re.compile(r"(?:[a-z]{1,4}\d{1,4}){3}|(?:\d{1,4}[a-z]{1,4}){3}")
_UNSPOKEN: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{7}")
_LEAST: Final = 8


@lru_cache(maxsize=4096)
def is_fresh(host: str, domain: str) -> bool:
    """Return whether `host`, below the registrable `domain`, looks made for one mailing."""
    if not domain:
        return False
    labels = host.rstrip(".").split(".")
    if any(".".join(labels[place:]) in _FREE_HOSTS for place in range(len(labels) - 1)):
        return True
    name = domain.partition(".")[0]
    if len(name) < _LEAST or name.startswith("xn--"):
        return False
    return bool(_TURNS.search(name) or _UNSPOKEN.search(name))
