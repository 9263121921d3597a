"""Hosts that look as if they were made for one mailing.

They lie on services where anybody has a name at once and for nothing, or are called as only
programs call things: at random, or by the address of a line. Each has good uses, so it is little
evidence alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# Services that give a name below theirs, or a path, without asking who wants it.
_FREE_HOSTS_NAMES: Final = """
000webhostapp.com 42web.io accesscam.org amplifyapp.com azureedge.net azurestaticapps.net
azurewebsites.net b-cdn.net backblazeb2.com bounceme.net camdvr.org carrd.co casacam.net cf-ipfs.com
cfargotunnel.com chickenkiller.com cloudfront.net cloudfunctions.net cloudwaysapps.com
codesandbox.io cprapid.com crabdance.com ddns.net ddnsfree.com ddnsking.com digitaloceanspaces.com
duckdns.org dweb.link dynu.net elasticbeanstalk.com epizy.com firebaseapp.com
firebasestorage.googleapis.com fleek.co fly.dev framer.app framer.website free.nf freeddns.org
giize.com gitbook.io gitlab.io glitch.me godaddysites.com gotdns.ch great-site.net herokuapp.com
hopto.org hostingerapp.com ignorelist.com infinityfreeapp.com ipfs.io jimdosite.com jumpingcrab.com
kesug.com kozow.com linodeobjects.com loca.lt lovable.app mooo.com mybluehost.me myftp.biz
myshopify.com myvnc.com mywire.org netlify.app nftstorage.link ngrok-free.app ngrok.app ngrok.io
no-ip.org notion.site on-fleek.app onrender.com ooguy.com pages.dev plesk.page pythonanywhere.com
r2.dev railway.app redirectme.net repl.co replit.app rf.gd run.app servehttp.com serveo.net
shorturl.at sites.google.com square.site storage.googleapis.com strangled.net strikingly.com
surge.sh sytes.net theworkpc.com trycloudflare.com twilightparadox.com typedream.app ukit.me us.to
vercel.app viewdns.net w3s.link wasabisys.com web.app webcindario.com webflow.io webhop.me
weebly.com weeblysite.com windows.net wixsite.com wixstudio.com wordpress.com workers.dev wuaze.com
yolasite.com zapto.org zeabur.app
"""
_FREE_HOSTS: Final = frozenset(_FREE_HOSTS_NAMES.split())
# A name of letters and digits in turn, or without a vowel for long: nobody could say it.
_TURNS: Final = re.compile(r"(?:[a-z]{1,4}\d{1,4}){3}|(?:\d{1,4}[a-z]{1,4}){3}")
_UNSPOKEN: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{7}")
_LEAST: Final = 8
# Shelves for files, of which each customer has a name: bucket.s3.eu-west-1.amazonaws.com.
_SHELF: Final = re.compile(r"(?:\A|\.)s3(?:[.-][a-z0-9-]{1,40}){0,3}\.amazonaws\.com\Z")
# What providers call the addresses that they give out: 192-0-2-1.dynamic.example.
_ADDRESS: Final = re.compile(r"(?:\A|\.)(?:\d{1,3}[.-]){3}\d{1,3}\.")


@lru_cache(maxsize=4096)
def is_fresh(host: str, domain: str) -> bool:
    """Return whether `host`, below the registrable `domain`, looks made for one mailing."""
    if not domain:
        return False
    host = host.rstrip(".")
    labels = host.split(".")
    if any(".".join(labels[place:]) in _FREE_HOSTS for place in range(len(labels) - 1)):
        return True
    if _SHELF.search(host) or _ADDRESS.search(host):
        return True
    name = domain.partition(".")[0]
    if len(name) < _LEAST or name.startswith("xn--"):
        return False
    return bool(_TURNS.search(name) or _UNSPOKEN.search(name))
