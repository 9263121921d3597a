"""Sessions of aiosmtpd's own test suite, by the first digit of the reply.

Its codes are its own; what carries over is whether a command is taken, refused for now or refused.
`LEFT_OUT` names every session that is not run, with the reason.
"""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.door import running_door
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.conformance

_AUTH = "about AUTH, which is not offered"
_HELP = "about the texts of HELP"
_UNKNOWN = "about unknown parameters, which are passed to the next hop"
_LIST = "its list of addresses is not in the data"
_HANDLER = "about handlers of aiosmtpd, which are not used"
_REQUIRE_TLS = "about requiring TLS, which is the next hop's to ask for"
_NO_STEPS = "its steps are not in the data"
_LONG_LINES = "lines of up to 1 MB are taken, for real mail has them"
_ASYNC_STOP = "about starting and stopping aiosmtpd's controller"
_NO_REPLY = (
    "expects no reply: it shows that the server lives on, as test_crashing_clients does here"
)
LEFT_OUT_CLASSES = {
    "TestSMTPAuth": _AUTH,
    "TestAuthMechanisms": _AUTH,
    "TestAuthenticator": _AUTH,
    "TestRequiredAuthentication": _AUTH,
    "TestRequireTLSAUTH": _AUTH,
    "TestRequireTLS": _REQUIRE_TLS,
    "TestProtocol": _NO_STEPS,
    "TestSMTPS": _NO_STEPS,
    "TestServer": _ASYNC_STOP,
    "TestUnthreaded": _ASYNC_STOP,
    "TestClientCrash": _NO_REPLY,
    "TestSleepingHandler": _NO_REPLY,
    "TestResetCommands": _HANDLER,
    "TestTimeout": "waits for a timer; timers are tested with short ones here",
    "TestLimits": "aiosmtpd's limits by command; ours are tested with their own numbers",
    "TestSmuggling": "test_smuggling sends all published sequences, cut everywhere",
}
LEFT_OUT = {
    "test_help_": _HELP,
    "test_help_esmtp": _HELP,
    "test_help_bad_arg": _HELP,
    "test_help_starttls": _HELP,
    "test_help_after_starttls": _HELP,
    "test_mail_esmtp_params_unrecognized": _UNKNOWN,
    "test_rcpt_unknown_params": _UNKNOWN,
    "test_mail_valid_address": _LIST,
    "test_mail_invalid_address": _LIST,
    "test_mail_esmtp_invalid_address": _LIST,
    "test_rcpt_valid_address": _LIST,
    "test_rcpt_invalid_address": _LIST,
    "test_limitlocalpart": "a setting of aiosmtpd's; our bound is tested with its own number",
    "test_mail_with_size_too_large": "a bound of 5,000 bytes; ours is tested with its own number",
    "test_mail_param": "SMTPUTF8 is offered by the next hop here, and then passed to it",
    "test_bad_encodings": "an address that is neither ASCII nor UTF-8 is refused (RFC 6531 §3.3)",
    "test_data": "8-bit data is passed on as it is",
    "test_process_message_error": _HANDLER,
    "test_unexpected_errors": _HANDLER,
    "test_unexpected_errors_unhandled": _HANDLER,
    "test_unexpected_errors_custom_response": _HANDLER,
    "test_exception_handler_exception": _HANDLER,
    "test_exception_handler_undescribable": _HANDLER,
    "test_exception_handler_multiple_connections_lost": _HANDLER,
    "test_custom_hostname": _HANDLER,
    "test_default_greeting": _ASYNC_STOP,
    "test_custom_greeting": _ASYNC_STOP,
    "test_esmtp_no_size_limit": "SIZE is always offered",
    "test_too_long_message_body": "its message is not in the data; bounds are tested here",
    "test_dots_escaped": "its message is not in the data; dots are tested by property",
    "test_data_line_too_long": _LONG_LINES,
    "test_long_line_double_count": _LONG_LINES,
    "test_long_line_leak": _LONG_LINES,
    "test_too_long_body_delay_error": _LONG_LINES,
    "test_too_long_body_then_too_long_lines": _LONG_LINES,
    "test_too_long_line_delay_error": _LONG_LINES,
    "test_too_long_lines_then_too_long_body": _LONG_LINES,
    "test_mail_with_compatible_smtputf8": _NO_STEPS,
    "test_bad_encoded_param": "its reply is read before it is expected; test_commands has the case",
    "test_binary": "its reply is read after it is expected; test_malformed has the case",
    "test_failed_handshake": "about a handler that refuses the handshake",
    "test_starttls": _NO_STEPS,
    "test_tls_handshake_stopcontroller": _ASYNC_STOP,
    "test_tls_handshake_failing": "test_door has a handshake that fails",
    "test_eof_received": "shows that no traceback is logged; expects no reply",
    "test_starttls_quit": "the client's own close; test_door has QUIT under TLS",
}
WITHOUT_EHLO = {"test_no_helo", "test_close_then_continue", "test_forget_ehlo"}


def sessions(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "conformance/smtp/aiosmtpd-sessions.json").read_text("utf-8")
    loaded: list[dict[str, Any]] = json.loads(text)
    return loaded


def variants(session: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Yield the values of the parametrised name of a session, one empty set without any."""
    if not session["parametrize"]:
        yield {}
        return
    call = ast.parse(session["parametrize"][0], mode="eval").body
    assert isinstance(call, ast.Call)
    name = ast.literal_eval(call.args[0])
    for value in ast.literal_eval(call.args[1]):
        yield {name: value}


def value_of(node: ast.expr, names: dict[str, object]) -> Any:
    """Evaluate the few kinds of expression that the data's arguments are made of."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names[node.id]
        case ast.BinOp(op=ast.Add()):
            return value_of(node.left, names) + value_of(node.right, names)
        case ast.BinOp(op=ast.Mult()):
            return value_of(node.left, names) * value_of(node.right, names)
        case ast.JoinedStr():
            return "".join(str(value_of(part, names)) for part in node.values)
        case ast.FormattedValue():
            return value_of(node.value, names)
    raise ValueError(ast.dump(node))


def command_of(step: dict[str, Any], names: dict[str, object]) -> bytes:
    """Return the command line of a step."""
    words = [str(value_of(ast.parse(a, mode="eval").body, names)) for a in step["args"]]
    match step["do"]:
        case "docmd":
            return " ".join(words).encode()
        case "mail":
            return f"MAIL FROM:<{words[0]}>".encode()
        case "rcpt":
            return f"RCPT TO:<{words[0]}>".encode()
        case verb:
            return " ".join([verb.upper(), *words]).rstrip().encode()


def play(session: dict[str, Any], names: dict[str, object], port: int) -> list[str]:
    """Play a session; return what differs."""
    differences = []
    with connected(port) as client:
        if session["test"] not in WITHOUT_EHLO:
            # Two sessions of these names are about parameters, which need EHLO.
            verb = b"HELO" if session["test"].endswith("_smtp_errsyntax") else b"EHLO"
            client.ask(verb + b" example.com")
        reply = b""
        for step in session["steps"]:
            if "do" in step:
                reply = do(client, step, names)
            if "code" in step and reply[:1] != str(step["code"])[:1].encode():
                differences.append(f"{session['test']} {names}: {step['code']}, got {reply!r}")
    return differences


def do(client: LineClient, step: dict[str, Any], names: dict[str, object]) -> bytes:
    if step["do"] == "starttls":
        reply = client.ask(b"STARTTLS")
        client.start_tls()
        return reply
    if step["do"] in {"close", "connect"}:
        return b""
    if step["do"] == "send":
        client.send(value_of(ast.parse(step["args"][0], mode="eval").body, names).encode())
        return b""
    return client.ask(command_of(step, names))


def test_sessions_are_answered_with_the_same_first_digit(
    shared_data: Path, certificate: dict[str, str]
) -> None:
    differences: list[str] = []
    played = 0
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"tls": certificate}) as with_tls,
        running_door(sink.host) as without_tls,
    ):
        for session in sessions(shared_data):
            if session["class"] in LEFT_OUT_CLASSES or session["test"] in LEFT_OUT:
                continue
            door = without_tls if session["class"] == "TestNoTLS" else with_tls
            for names in variants(session):
                differences += play(session, names, door.port)
                played += 1
    assert differences == []
    assert played >= 60


def test_sessions_left_out_are_all_in_the_data(shared_data: Path) -> None:
    every = sessions(shared_data)
    assert set(LEFT_OUT) <= {session["test"] for session in every}
    assert set(LEFT_OUT_CLASSES) <= {session["class"] for session in every}
