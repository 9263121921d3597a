"""Hosts that only lead elsewhere: shorteners, and redirectors of services that many trust.

Widely known services, named by what their own pages say they do. A link through one of them says
nothing bad by itself; it hides where it leads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_SHORTENERS: Final = """
0rz.tw acortar.link adf.ly amzn.to b.link bit.do bit.ly bitly.com bitly.ws bl.ink buff.ly clck.ru
cli.gs cutt.ly cutt.us da.gd dlvr.it dub.sh dwz.cn fb.me flip.it gg.gg git.io goo.by goo.gl goo.su
han.gl href.li ift.tt is.gd j.mp kurzelinks.de kutt.it lihi.cc ln.run lnk.to lnkd.in mcaf.ee me2.do
n9.cl ow.ly po.st ppt.cc q-r.to qr.ae qrco.de rb.gy rebrand.ly redd.it reurl.cc rotf.lol s.id
short.gy short.io shorten.is shorturl.asia shorturl.at shrtco.de smarturl.it soo.gd sourl.cn spr.ly
suo.im surl.li t.cn t.co t.ly t2m.io t2mio.com tiny.cc tiny.ie tiny.one tiny.pl tinyurl.com tny.im
tr.im trib.al u.nu u.to url.cn urlr.me urls.fr urlz.fr v.gd v.ht vk.cc x.co x.gd xurl.es zpr.io
"""
SHORTENERS: Final = frozenset(_SHORTENERS.split())

# Host, or the end of one that begins with a dot, and how the path begins.
REDIRECTORS: Final = (
    ("www.google.", "/url"),
    ("google.", "/url"),
    ("maps.google.", "/url"),
    ("www.google.", "/amp/"),
    ("adservice.google.", "/"),
    ("googleads.g.doubleclick.net", "/"),
    ("ad.doubleclick.net", "/"),
    ("adclick.g.doubleclick.net", "/"),
    ("www.googleadservices.com", "/"),
    ("www.google.", "/aclk"),
    ("www.google.", "/travel/clk"),
    ("notifications.google.com", "/g/p/"),
    ("share.google", "/"),
    ("search.app", "/"),
    (".page.link", "/"),
    ("www.bing.com", "/ck/"),
    ("duckduckgo.com", "/l/"),
    ("r.search.yahoo.com", "/"),
    ("l.facebook.com", "/l.php"),
    ("lm.facebook.com", "/l.php"),
    ("l.instagram.com", "/"),
    ("l.messenger.com", "/"),
    ("www.youtube.com", "/redirect"),
    ("www.linkedin.com", "/redir"),
    ("www.linkedin.com", "/slink"),
    ("slack-redir.net", "/link"),
    ("steamcommunity.com", "/linkfilter"),
    ("out.reddit.com", "/"),
    ("vk.com", "/away.php"),
    ("t.umblr.com", "/redirect"),
    ("www.baidu.com", "/link"),
    ("link.zhihu.com", "/"),
    ("translate.google.", "/translate"),
    ("web.archive.org", "/web/"),
    (".translate.goog", "/"),
    (".safelinks.protection.outlook.com", "/"),
    ("urldefense.com", "/"),
    ("urldefense.proofpoint.com", "/"),
    ("linkprotect.cudasvc.com", "/url"),
    (".safelinks.protection.office365.us", "/"),
    (".mimecast.com", "/s/"),
    ("secure-web.cisco.com", "/"),
    ("clicktime.symantec.com", "/"),
    (".protection.sophos.com", "/"),
    ("deref-gmx.net", "/mail/client/"),
    ("deref-web.de", "/mail/client/"),
    # Those that count for senders who clicks, and write where they lead into the address.
    (".awstrack.me", "/"),
    (".r.appspot.com", "/"),
    (".rs6.net", "/tn.jsp"),
    ("rs6.net", "/tn.jsp"),
    ("mandrillapp.com", "/track/click/"),
    ("mailtrack.io", "/trace/link/"),
    ("links.govdelivery.com", "/track"),
    ("click.linksynergy.com", "/"),
    ("go.redirectingat.com", "/"),
    ("redirect.viglink.com", "/"),
    ("www.awin1.com", "/"),
)

# Of these, what filters of mail write around each link that they let pass.
_REWRITERS: Final = (
    "urldefense.com",
    "urldefense.proofpoint.com",
    "linkprotect.cudasvc.com",
    ".safelinks.protection.outlook.com",
)


def is_rewriter(host: str) -> bool:
    """Return whether `host` belongs to a filter that leads all links over itself."""
    return host.rstrip(".").endswith(_REWRITERS)


def is_shortener(host: str, domain: str) -> bool:
    """Return whether `host`, or the registrable `domain` it lies under, shortens addresses."""
    # The dot of the root behind a host leads to the same place.
    return domain in SHORTENERS and host.rstrip(".") in (domain, f"www.{domain}")


def is_redirector(host: str, path: str) -> bool:
    """Return whether an address of `host` with `path` leads on to another one."""
    begins = _redirecting_paths(host.rstrip("."))
    return bool(begins) and path.startswith(begins)


@lru_cache(maxsize=4096)
def _redirecting_paths(host: str) -> tuple[str, ...]:
    begins = []
    for name, begin in REDIRECTORS:
        if name[0] == ".":
            matches = host.endswith(name)
        else:
            matches = host == name or (name[-1] == "." and host.startswith(name))
        if matches:
            begins.append(begin)
    return tuple(begins)
