"""What must happen in one step on the server, in Lua; no other client sees it half done.

Every key has `{gatepost}` in its name, so that a cluster keeps all of them in one place. Scripts of
a batch are given the name of a guard first: where it exists the batch was done already.

Numbers travel as text with 17 digits: a reply that is a Lua number would lose its fraction.
"""

from __future__ import annotations

from typing import Final

# Sets a value that goes by itself after `ttl` milliseconds; 0: never.
_KEEP: Final = """
local function keep(key, value, ttl)
  if ttl == '0' then redis.call('SET', key, value)
  else redis.call('SET', key, value, 'PX', ttl) end
end
local function text(number) return string.format('%.17g', number) end
"""

_GUARDED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
"""

# KEYS: guard, keys. ARGV: when they expire, ttl.
PUT: Final = (
    _KEEP
    + _GUARDED
    + """
for i = 2, #KEYS do
  local known = redis.call('GET', KEYS[i])
  if not known or tonumber(known) < tonumber(ARGV[1]) then keep(KEYS[i], ARGV[1], ARGV[2]) end
end
return 1
"""
)

# KEYS: guard, keys. ARGV for each: at, half-life, seconds to keep, ttl, how many amounts, these.
# Kept: when it expires, first and last change, half-life, values.
FADE: Final = (
    _KEEP
    + _GUARDED
    + """
local function left(elapsed, half)
  if elapsed <= 0 then return 1 end
  return 0.5 ^ (elapsed / half)
end
local next_one = 1
for i = 2, #KEYS do
  local at, half = tonumber(ARGV[next_one]), tonumber(ARGV[next_one + 1])
  local stay, ttl = tonumber(ARGV[next_one + 2]), ARGV[next_one + 3]
  local count = tonumber(ARGV[next_one + 4])
  local first, last, values, known = at, at, {}, redis.call('GET', KEYS[i])
  if known then
    local kept = {}
    for number in string.gmatch(known, '%S+') do kept[#kept + 1] = tonumber(number) end
    if kept[3] > at + 86400 then kept[3] = at end
    first, last = math.min(first, kept[2]), math.max(last, kept[3])
    local old = left(last - kept[3], kept[4])
    for j = 5, #kept do values[j - 4] = kept[j] * old end
  end
  local new = left(last - at, half)
  for j = 1, count do
    values[j] = (values[j] or 0) + tonumber(ARGV[next_one + 4 + j]) * new
  end
  local line = {text(last + stay), text(first), text(last), text(half)}
  for j = 1, #values do line[j + 4] = text(values[j]) end
  keep(KEYS[i], table.concat(line, ' '), ttl)
  next_one = next_one + 5 + count
end
return 1
"""
)

# KEYS: guard; index and row of each. ARGV for each: slot, key, ttl, how many amounts, these.
# A row is a hash of all keys of a slot; its fields are the number of the amount and the key.
ADD: Final = (
    _GUARDED
    + """
local function lives(key, ttl)
  if ttl ~= '0' and redis.call('PTTL', key) < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
end
local next_one = 1
for i = 2, #KEYS, 2 do
  local index, row = KEYS[i], KEYS[i + 1]
  local slot, key, ttl = ARGV[next_one], ARGV[next_one + 1], ARGV[next_one + 2]
  local count = tonumber(ARGV[next_one + 3])
  for j = 1, count do
    redis.call('HINCRBY', row, string.char(j) .. key, ARGV[next_one + 3 + j])
  end
  lives(row, ttl)
  if redis.call('ZADD', index, slot, slot) == 1 then
    -- With each new slot the first ones that expired leave the index.
    for _, old in ipairs(redis.call('ZRANGE', index, 0, 1)) do
      if redis.call('EXISTS', index .. ':' .. old) == 0 then redis.call('ZREM', index, old) end
    end
  end
  lives(index, ttl)
  next_one = next_one + 4 + count
end
return 1
"""
)

# Appends an entry. From `first` on ARGV has: at, payload, most entries, most bytes, oldest time,
# ttl, words. Words are sorted sets beside the times: number of the entry by its time.
_APPENDING: Final = """
local function trim(entries, times, numbers, limit, most, most_bytes, since)
  local gone = 0
  local bytes = tonumber(redis.call('HGET', numbers, 'bytes') or 0)
  while gone < limit do
    local oldest = redis.call('XRANGE', entries, '-', '+', 'COUNT', 1)[1]
    if not oldest then break end
    local old = oldest[2]
    if redis.call('XLEN', entries) <= most and bytes <= most_bytes
      and tonumber(old[2]) >= since then break end
    local name = string.format('%016d', string.match(oldest[1], '^%d+'))
    redis.call('XDEL', entries, oldest[1])
    redis.call('ZREM', times, name)
    for _, word in ipairs(cmsgpack.unpack(old[6])) do
      redis.call('ZREM', times .. ':' .. word, name)
    end
    bytes = redis.call('HINCRBY', numbers, 'bytes', -#old[4])
    gone = gone + 1
  end
  return gone
end
local function append(entries, times, numbers, first)
  -- All that was there may have gone by itself.
  if redis.call('EXISTS', entries) == 0 then redis.call('HSET', numbers, 'bytes', 0) end
  local at, payload, ttl = ARGV[first], ARGV[first + 1], ARGV[first + 5]
  local number = redis.call('HINCRBY', numbers, 'last', 1)
  local name = string.format('%016d', number)
  local words = {unpack(ARGV, first + 6)}
  redis.call('XADD', entries, number .. '-0', 'at', at, 'payload', payload,
    'words', cmsgpack.pack(words))
  redis.call('ZADD', times, at, name)
  for _, word in ipairs(words) do
    redis.call('ZADD', times .. ':' .. word, at, name)
    redis.call('PEXPIRE', times .. ':' .. word, ttl)
  end
  redis.call('HINCRBY', numbers, 'bytes', #payload)
  trim(entries, times, numbers, 100, tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]),
    tonumber(ARGV[first + 4]))
  redis.call('PEXPIRE', entries, ttl)
  redis.call('PEXPIRE', times, ttl)
end
"""

# KEYS: guard, entries, times, numbers. ARGV: the entry.
APPEND: Final = (
    _APPENDING
    + _GUARDED
    + """
append(KEYS[2], KEYS[3], KEYS[4], 1)
return 1
"""
)

# KEYS: entries, times, numbers. ARGV: limit, most entries, most bytes, oldest time. Answers how
# many went.
TRIM: Final = (
    _APPENDING
    + """
return trim(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]))
"""
)

# KEYS: entries, times, numbers. ARGV: numbers of the entries that go. Answers how many were there.
ERASE: Final = """
local entries, times, numbers, gone = KEYS[1], KEYS[2], KEYS[3], 0
for _, number in ipairs(ARGV) do
  local id, name = number .. '-0', string.format('%016d', number)
  local old = redis.call('XRANGE', entries, id, id)[1]
  if old then
    redis.call('XDEL', entries, id)
    redis.call('ZREM', times, name)
    for _, word in ipairs(cmsgpack.unpack(old[2][6])) do
      redis.call('ZREM', times .. ':' .. word, name)
    end
    redis.call('HINCRBY', numbers, 'bytes', -#old[2][4])
    gone = gone + 1
  end
end
return gone
"""

# KEYS: entries, then the sets in which an entry must be. ARGV: since, until, before, limit.
SEARCH: Final = """
local driver = 2
for i = 3, #KEYS do
  if redis.call('ZCARD', KEYS[i]) < redis.call('ZCARD', KEYS[driver]) then driver = i end
end
local found, limit = {}, tonumber(ARGV[4])
local upper, same = ARGV[2], 0
local before = string.format('%016d', ARGV[3])
while #found < limit do
  local some = redis.call('ZREVRANGEBYSCORE', KEYS[driver], upper, ARGV[1], 'WITHSCORES',
    'LIMIT', same, 200)
  if #some == 0 then break end
  -- From the time of the last one on, without those of that time that were given: the server counts
  -- one by one what an offset leaves out.
  if some[#some] ~= upper then upper, same = some[#some], 0 end
  for i = #some, 2, -2 do
    if some[i] ~= upper then break end
    same = same + 1
  end
  for i = 1, #some, 2 do
    local name, fits = some[i], true
    if tonumber(some[i + 1]) == tonumber(ARGV[2]) and name >= before then fits = false end
    for j = 2, #KEYS do
      if fits and j ~= driver and not redis.call('ZSCORE', KEYS[j], name) then fits = false end
    end
    if fits and #found < limit then
      local id = string.gsub(name, '^0+', '') .. '-0'
      local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
      if entry then found[#found + 1] = entry end
    end
  end
end
return found
"""

# KEYS: the record; where an entry is appended too: entries, times, numbers. ARGV: now, whether
# there is an old one, the old, whether there is a new one, the new, when it expires, ttl; entry.
# Kept: when it expires, a line's end, the record.
REPLACE: Final = (
    _KEEP
    + _APPENDING
    + """
local known = redis.call('GET', KEYS[1])
if known then
  local cut = string.find(known, '\\n', 1, true)
  if tonumber(string.sub(known, 1, cut - 1)) > tonumber(ARGV[1]) then
    known = string.sub(known, cut + 1)
  else known = false end
end
if (ARGV[2] == '1') ~= (known ~= false) then return 0 end
if known and known ~= ARGV[3] then return 0 end
if ARGV[4] == '1' then keep(KEYS[1], ARGV[6] .. '\\n' .. ARGV[5], ARGV[7])
else redis.call('DEL', KEYS[1]) end
if #KEYS > 1 then append(KEYS[2], KEYS[3], KEYS[4], 8) end
return 1
"""
)

# KEYS: buckets. ARGV: now, then for each: amount, capacity, leak a second. Kept: level, at.
# Answers how long to wait, the levels, and the numbers of the full ones.
TAKE: Final = (
    _KEEP
    + """
local now, levels, full, wait = tonumber(ARGV[1]), {}, {}, 0
for i = 1, #KEYS do
  local amount, capacity = tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
  local leak, known, level = tonumber(ARGV[i * 3 + 1]), redis.call('GET', KEYS[i]), 0
  if known then
    local at
    level, at = string.match(known, '(%S+) (%S+)')
    level = math.max(0, tonumber(level) - math.max(0, now - tonumber(at)) * leak)
  end
  levels[i] = level
  local over = level + math.min(amount, capacity) - capacity
  if over > 1e-9 * capacity then
    full[#full + 1] = i - 1
    wait = math.max(wait, over / leak)
  end
end
if #full == 0 then
  for i = 1, #KEYS do
    levels[i] = levels[i] + math.min(tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3]))
    local empty_ms = math.ceil(levels[i] / tonumber(ARGV[i * 3 + 1]) * 1000)
    keep(KEYS[i], text(levels[i]) .. ' ' .. ARGV[1], string.format('%.0f', empty_ms + 60000))
  end
end
for i = 1, #levels do levels[i] = text(levels[i]) end
return {text(wait), levels, full}
"""
)
