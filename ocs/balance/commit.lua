#!lua name=ocs
-- The one door: every movement of money is one call of ocs_commit. It is short on purpose; what is written was
-- decided in Python. All keys share one hash tag.

local TOKEN_OCTETS = 12

-- KEYS: events stream, deadlines, open sessions by account, agenda, every value that the decision read, the account's turn.
-- ARGV: writes, events, deadline changes (counts), not-before (ms or ''), who commits (the beginning of its tokens), turn
-- (the ms for which it shall be alone should it lose this race, or ''); one expected token per value ('' for absent);
-- per write: index of the value, token and content, time to live in ms (0 for ever); the events;
-- per deadline change: member, score ('' removes); what is left are changes of the agenda, likewise.
-- Returns 1 when all was written, 2 when it is too early, 3 when it is another's turn, 4 when the partition is empty
-- that should not be, else the values as they are now.
local function commit(keys, argv)
  local values = #keys - 5
  local writes, events, deadlines = tonumber(argv[1]), tonumber(argv[2]), tonumber(argv[3])
  local current = redis.call('MGET', unpack(keys, 5))
  local turn, holder = keys[values + 5], current[values + 1]
  if holder and holder ~= argv[5] then
    return 3
  end
  -- Nothing at the first key: an account that is new, or a server that has lost everything. The partition's own mark
  -- (keys.home_key) tells which.
  if not current[1] and redis.call('EXISTS', string.match(keys[1], '^{%d+}') .. 'home') == 0 then
    return 4
  end
  for i = 1, values do
    local value = current[i]
    if (value and string.sub(value, 1, TOKEN_OCTETS) or '') ~= argv[6 + i] then
      if argv[6] ~= '' then
        redis.call('SET', turn, argv[5], 'PX', argv[6])
      end
      current[values + 1] = nil
      return current
    end
  end
  if argv[4] ~= '' then
    local time = redis.call('TIME')
    if tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000 < tonumber(argv[4]) then
      return 2
    end
  end
  -- Lua does not roll back. What can fail here (a key of a wrong type, a user without the right) comes first, and what
  -- moves money last: a deadline without its session is taken off by the next sweep, an event is known by its id.
  local first = 6 + values
  local at = first + 3 * writes + events
  for _ = 1, deadlines do
    if argv[at + 2] == '' then
      redis.call('ZREM', keys[2], argv[at + 1])
      redis.call('ZREM', keys[3], argv[at + 1])
    else
      redis.call('ZADD', keys[2], argv[at + 2], argv[at + 1])
      redis.call('ZADD', keys[3], 0, argv[at + 1])
    end
    at = at + 2
  end
  for i = at + 1, #argv, 2 do
    if argv[i + 1] == '' then
      redis.call('ZREM', keys[4], argv[i])
    else
      redis.call('ZADD', keys[4], argv[i + 1], argv[i])
    end
  end
  at = first + 3 * writes
  for _ = 1, events do
    redis.call('XADD', keys[1], '*', 'e', argv[at + 1])
    at = at + 1
  end
  at = first
  local lasting, n = {}, 0
  for _ = 1, writes do
    local key, value, ttl = keys[4 + tonumber(argv[at + 1])], argv[at + 2], argv[at + 3]
    if ttl == '0' then
      lasting[n + 1], lasting[n + 2] = key, value
      n = n + 2
    else
      redis.call('SET', key, value, 'PX', ttl)
    end
    at = at + 3
  end
  if n > 0 then
    redis.call('MSET', unpack(lasting))
  end
  if holder then
    redis.call('DEL', turn)
  end
  return 1
end

-- KEYS: clock. ARGV: how long a silence of all workers is an outage (ms).
-- Returns the store's time and the sum of our outages so far, both in ms: deadlines are counted in the difference.
local function heartbeat(keys, argv)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local state = redis.call('HMGET', keys[1], 'last', 'outage')
  local last, outage = tonumber(state[1] or now), tonumber(state[2] or 0)
  if now - last > tonumber(argv[1]) then
    outage = outage + (now - last)
  end
  -- Two workers' beats never move the clock back.
  redis.call('HSET', keys[1], 'last', string.format('%.0f', math.max(now, last)),
             'outage', string.format('%.0f', outage))
  return {string.format('%.0f', now), string.format('%.0f', outage)}
end

-- Forget events that everybody has acknowledged, and keep what they came to: both or neither.
-- KEYS: events stream, checkpoints. ARGV: where the last trim stopped ('' for never), where this one stops, the lowest
-- id that stays; then accounts with their checkpoints.
-- Returns 1 when it was done, 0 when somebody else has trimmed meanwhile.
local function trim(keys, argv)
  if (redis.call('HGET', keys[2], '') or '') ~= argv[1] then
    return 0
  end
  for i = 4, #argv, 2 do
    redis.call('HSET', keys[2], argv[i], argv[i + 1])
  end
  redis.call('HSET', keys[2], '', argv[2])
  redis.call('XTRIM', keys[1], 'MINID', '=', argv[3])
  return 1
end

-- ARGV: commands with a key that they would be used on, their words parted by spaces.
-- Returns those that this user may not send; none of them is carried out.
local function rights(_, argv)
  local denied = {}
  for _, line in ipairs(argv) do
    local words = {}
    for word in string.gmatch(line, '%S+') do
      words[#words + 1] = word
    end
    if not redis.acl_check_cmd(unpack(words)) then
      denied[#denied + 1] = line
    end
  end
  return denied
end

redis.register_function('ocs_commit', commit)
redis.register_function('ocs_rights', rights)
redis.register_function('ocs_trim', trim)
redis.register_function('ocs_heartbeat', heartbeat)
