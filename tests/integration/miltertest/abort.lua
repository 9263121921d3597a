-- ABORT at any point after MAIL; what was begun is forgotten, the connection goes on.

conn = mt.connect(address, 40, 0.25)
assert(conn ~= nil, "mt.connect() failed")
assert(mt.conninfo(conn, "client.example", "2001:db8::7") == nil)
assert(mt.helo(conn, "client.example") == nil)

assert(mt.mailfrom(conn, "<ann@client.example>") == nil)
assert(mt.abort(conn) == nil)

assert(mt.mailfrom(conn, "<ann@client.example>") == nil)
assert(mt.rcptto(conn, "<bob@example.org>") == nil)
assert(mt.abort(conn) == nil)

assert(mt.mailfrom(conn, "<ann@client.example>") == nil)
assert(mt.rcptto(conn, "<bob@example.org>") == nil)
assert(mt.header(conn, "From", " ann@client.example") == nil)
assert(mt.eoh(conn) == nil)
assert(mt.bodystring(conn, gtube .. "\r\n") == nil)
assert(mt.abort(conn) == nil)

assert(mt.mailfrom(conn, "<>") == nil)
assert(mt.rcptto(conn, "<bob@example.org>") == nil)
assert(mt.rcptto(conn, "<eve@example.org>") == nil)
assert(mt.header(conn, "From", " ann@client.example") == nil)
assert(mt.eoh(conn) == nil)
assert(mt.bodyrandom(conn, 200000) == nil)
assert(mt.eom(conn) == nil)
assert(mt.getreply(conn) == SMFIR_CONTINUE, "what was aborted was not forgotten")
assert(mt.eom_check(conn, MT_HDRINSERT, "X-Gatepost-Id"), "no X-Gatepost-Id")
mt.disconnect(conn)
