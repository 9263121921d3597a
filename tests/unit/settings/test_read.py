"""Configuration is taken whole or refused whole, every mistake at its line and column."""

from __future__ import annotations

import pytest

from milter.settings import Settings
from milter.settings.read import read_settings
from policies.errors import ConfigError, ConfigErrors

LISTENER = "listeners:\n  - name: in\n    bind: 127.0.0.1:10025\n"


class Texts:
    """Files of a test, by path."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise ConfigError(path, 0, 0, "cannot be read: No such file or directory")
        return self.files[path].encode()


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read_settings(Texts(g=text), "g.yaml")
    return [str(error) for error in caught.value.errors]


def test_read_without_a_file_gives_the_defaults() -> None:
    assert read_settings(Texts(), None) == Settings()


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "{}\n", "null\n"])
def test_read_a_file_that_says_nothing_is_a_mistake(text: str) -> None:
    (mistake,) = mistakes_of(text)

    assert mistake.startswith("g.yaml: the file says nothing; ")


def test_read_takes_every_key_of_the_contract() -> None:
    text = """\
listeners:
  - name: inbound
    protocol: smtp
    bind: 0.0.0.0:25
    direction: inbound
    clients: [0.0.0.0/0]
    trusted_clients: [127.0.0.0/8]
    proxy_protocol: false
    recipient_domains: [example.org, "*.example.net"]
    differing_recipients: separate
  - {name: out, bind: "[::1]:10587", direction: outbound, clients: [192.0.2.0/24]}
next_hop: {hosts: ["127.0.0.1:10026"], protocol: smtp, tls: none, pass_client: xforward}
dns: {nameservers: ["127.0.0.1:53"], timeout_s: 2, attempts: 2}
policies: policies/
store: sqlite:state/gatepost.db
http: {bind: 127.0.0.1:11380, direction: inbound}
workers: auto
limits: {message_bytes: 52428800, bytes_in_flight: 536870912, sessions: 1000, budget_s: 20}
authserv_id: mx.example.org
log: {format: json, level: info}
"""
    settings = read_settings(Texts(etc__g=text), "etc/g.yaml")
    assert settings.listeners[1].name == "out"
    assert settings.listeners[0].recipient_domains == ("example.org", "*.example.net")


def test_read_relative_paths_start_at_the_file_that_names_them() -> None:
    text = (
        LISTENER + "    tls: {certificate: tls/c.pem, key: /k.pem}\n"
        "policies: p/\nstore: sqlite:state/g.db\ndns: {zone_file: z.yaml}\n"
        "http: {bind: 'unix:run/http', token_file: token}\n"
        "next_hop: {hosts: ['unix:lmtp', '127.0.0.1:24'], tls: verify, tls_ca_file: ca.pem}\n"
    )
    settings = read_settings(Texts(etc__g=text), "etc/g.yaml")
    tls, http = settings.listeners[0].tls, settings.http
    assert tls is not None
    assert http is not None
    assert (tls.certificate, tls.key) == ("etc/tls/c.pem", "/k.pem")
    assert (settings.policies, settings.store) == ("etc/p/", "sqlite:etc/state/g.db")
    assert settings.dns.zone_file == "etc/z.yaml"
    assert (http.bind, http.token_file) == ("unix:etc/run/http", "etc/token")
    assert settings.next_hop.hosts == ("unix:etc/lmtp", "127.0.0.1:24")
    assert settings.next_hop.tls_ca_file == "etc/ca.pem"


@pytest.mark.parametrize(
    ("named", "path"),
    [("strict", "strict"), ("p.yaml", "etc/p.yaml"), ("/etc/p", "/etc/p")],
    ids=["a-preset-is-no-file", "relative", "absolute"],
)
def test_read_policies_are_a_preset_or_start_at_the_file(named: str, path: str) -> None:
    assert read_settings(Texts(etc__g=f"policies: {named}\n"), "etc/g.yaml").policies == path


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        pytest.param("listner: []\n", "g.yaml:1:1: unknown key `listner`", id="unknown-key"),
        pytest.param(
            "limits:\n  sessions: many\n",
            "g.yaml:2:13: `sessions` needs a whole number",
            id="wrong-type",
        ),
        pytest.param(
            "listeners:\n  - name: in\n    bind: 127.0.0.1\n",
            "g.yaml:3:11: host:port, [v6]:port or unix:/path is needed, not '127.0.0.1'",
            id="bad-address",
        ),
        pytest.param(
            "log: {level: info}\nlog: {level: debug}\n", "g.yaml:2:1: ", id="duplicate-key"
        ),
        pytest.param(
            LISTENER + "  - {name: in, bind: '127.0.0.1:26'}\n",
            "g.yaml:2:11: two listeners are called `in`",
            id="two-listeners-of-one-name",
        ),
        pytest.param(
            LISTENER + "  - {name: b, bind: '127.0.0.1:10025'}\n",
            "g.yaml:3:11: two listeners bind 127.0.0.1:10025",
            id="two-listeners-on-one-port",
        ),
        pytest.param(
            LISTENER + "  - {name: b, bind: '0.0.0.0:10025', recipient_domains: [example.org]}\n",
            "g.yaml:3:11: 0.0.0.0:10025 takes in 127.0.0.1:10025",
            id="two-listeners-of-which-one-takes-in-the-other",
        ),
        pytest.param(
            "listeners:\n  - name: in\n    bind: 0.0.0.0:25\n",
            "g.yaml:2:5: listener `in` would relay for everybody",
            id="open-relay-inbound",
        ),
        pytest.param(
            "listeners:\n  - {name: in, bind: '192.0.2.1:25', clients: [10.0.0.0/8]}\n",
            "g.yaml:2:5: listener `in` would relay for everybody",
            id="open-relay-for-a-network",
        ),
        pytest.param(
            "listeners:\n  - name: o\n    direction: outbound\n    bind: 127.0.0.1:25\n",
            "g.yaml:2:5: listener `o` is outbound and relays to anywhere",
            id="outbound-without-clients",
        ),
        pytest.param(
            "listeners:\n"
            "  - {name: o, direction: internal, bind: ':25', clients: ['::/1', '8000::/1']}\n",
            "g.yaml:2:58: listener `o` is internal and relays to anywhere",
            id="internal-for-everybody-in-two-halves",
        ),
        pytest.param(
            LISTENER + "    trusted_clients: [0.0.0.0/0]\n",
            "g.yaml:4:22: `trusted_clients` names everybody",
            id="everybody-is-trusted",
        ),
        pytest.param(
            LISTENER + "    proxy_protocol: true\n",
            "g.yaml:4:21: `proxy_protocol` needs `trusted_clients`",
            id="proxy-header-from-anybody",
        ),
        pytest.param(
            LISTENER + "    proxy_protocol: true\n    trusted_clients: [127.0.0.0/8]\n",
            "g.yaml:4:21: `proxy_protocol` brings strangers to listener `in`: "
            "set `recipient_domains`",
            id="open-relay-behind-a-proxy-on-loopback",
        ),
        pytest.param(
            LISTENER
            + "    proxy_protocol: true\n    trusted_clients: [192.0.2.9/32]\n"
            + "    clients: [192.0.2.9/32]\n",
            "g.yaml:4:21: `proxy_protocol` brings strangers",
            id="open-relay-behind-a-proxy-that-is-named",
        ),
        pytest.param(
            LISTENER
            + "    direction: outbound\n    proxy_protocol: true\n"
            + "    trusted_clients: [127.0.0.0/8]\n    clients: [127.0.0.0/8]\n",
            "g.yaml:5:21: `proxy_protocol` is for inbound listeners",
            id="proxy-header-on-an-outbound-listener",
        ),
        pytest.param(
            "listeners:\n  - {name: o, direction: internal, bind: 'unix:/run/o',"
            " proxy_protocol: true, trusted_clients: [127.0.0.0/8]}\n",
            "g.yaml:2:73: `proxy_protocol` is for inbound listeners",
            id="proxy-header-on-an-internal-unix-socket",
        ),
        pytest.param(
            LISTENER + "    recipient_domains: ['exa mple']\n",
            "g.yaml:4:25: `recipient_domains` needs names such as example.org, not 'exa mple'",
            id="bad-domain",
        ),
        pytest.param(
            LISTENER + "next_hop: {hosts: ['127.0.0.1:10025']}\n",
            "g.yaml:4:20: 127.0.0.1:10025 is our own listener `in`",
            id="mail-loop",
        ),
        pytest.param(
            "next_hop: {hosts: ['mx.example:0']}\n",
            "g.yaml:1:20: a next hop needs host and port, not 'mx.example:0'",
            id="next-hop-without-port",
        ),
        pytest.param(
            "next_hop: {hosts: [':25']}\n",
            "g.yaml:1:20: a next hop needs host and port, not ':25'",
            id="next-hop-without-host",
        ),
        pytest.param(
            "workers: 1\ntrusted_relays: [0.0.0.0/0]\n",
            "g.yaml:2:17: `trusted_relays` names everybody: name the hosts that are your own",
            id="everybody-as-relay",
        ),
        pytest.param(
            "limits: {bytes_in_flight: 2000, message_bytes: 20000000}\n",
            "g.yaml:1:27: `bytes_in_flight` (2000) must hold one message",
            id="no-room-for-one-message",
        ),
        pytest.param(
            "store: mysql://127.0.0.1\n", "g.yaml:1:8: `store` needs sqlite:PATH", id="bad-store"
        ),
        pytest.param(
            "next_hop: {tls_ca_file: ca.pem}\n",
            "g.yaml:1:25: `tls_ca_file` has a meaning only with `tls: verify`",
            id="key-without-effect",
        ),
        pytest.param(
            "hostname: 'mx example'\n", "g.yaml:1:11: `hostname` needs a name", id="bad-hostname"
        ),
        pytest.param(
            "http: {bind: '127.0.0.1:10025'}\n" + LISTENER,
            "g.yaml:1:14: a listener binds 127.0.0.1:10025 already",
            id="http-on-a-listeners-port",
        ),
        pytest.param("listeners: [\n", "g.yaml:", id="not-yaml"),
        pytest.param(
            "limits: {sessions: 0100}\n", "g.yaml:1:20: ", id="number-with-a-leading-zero"
        ),
        pytest.param(
            LISTENER + "    clients: [10.0.0.1/8]\n", "g.yaml:4:15: ", id="network-with-host-bits"
        ),
        pytest.param(
            "log: {level: verbose}\n", "g.yaml:1:14: `level` needs ", id="word-that-is-not-known"
        ),
    ],
)
def test_read_a_mistake_is_shown_at_its_place_in_a_line(text: str, mistake: str) -> None:
    found = mistakes_of(text)
    assert found[0].startswith(mistake)
    assert all("\n" not in line and len(line) < 240 for line in found)


def test_read_all_mistakes_are_told_at_once() -> None:
    text = "store: mysql://x\nhostname: 'a b'\nlimits: {line_bytes: 2000000, message_bytes: 4096}\n"
    assert [line.split(":")[1] for line in mistakes_of(text)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "listener",
    [
        pytest.param("bind: '0.0.0.0:25', clients: [192.0.2.7/32, 127.0.0.0/8]", id="named-hosts"),
        pytest.param("bind: 'unix:/run/in'", id="unix-socket"),
        pytest.param("bind: '[::1]:25'", id="loopback"),
        pytest.param("bind: 'localhost:25'", id="loopback-by-name"),
        pytest.param("bind: '0.0.0.0:25', recipient_domains: [example.org]", id="domains"),
        pytest.param("bind: ':25', direction: outbound, clients: [10.0.0.0/8]", id="outbound"),
        pytest.param(
            "bind: '127.0.0.1:25', proxy_protocol: true, trusted_clients: [127.0.0.0/8], "
            "recipient_domains: [example.org]",
            id="proxy-header-with-domains",
        ),
    ],
)
def test_read_a_listener_that_strangers_cannot_relay_through_is_taken(listener: str) -> None:
    settings = read_settings(Texts(g=f"listeners: [{{name: in, {listener}}}]\n"), "g.yaml")
    assert settings.listeners[0].name == "in"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "limits: {message_bytes: 50MB}",
            "g.yaml:1:25: `message_bytes` needs a whole number, not '50MB': write 52428800",
            id="a-size-with-its-unit",
        ),
        pytest.param(
            "dns: {timeout_s: 2s}",
            "g.yaml:1:18: `timeout_s` needs a number, not '2s': write 2 without the unit",
            id="a-time-with-its-unit",
        ),
        pytest.param(
            "dns: {nameservers: 127.0.0.1}",
            "g.yaml:1:20: `nameservers` needs a list, not '127.0.0.1': write [127.0.0.1]",
            id="one-text-for-a-list",
        ),
    ],
)
def test_read_says_how_a_value_is_to_be_written(text: str, expected: str) -> None:
    assert mistakes_of(text) == [expected]
