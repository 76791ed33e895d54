-- The alarm list. One node owns it by a lease and writes the devices' axis; operators write theirs. All keys share the
-- hash tag {alarms}. A part of the library that begins in commit.lua.

local ALARM_TOKEN_OCTETS = 12
-- What Lua can hand to one call.
local ALARM_CHUNK = 4000
local MSGPACK_NIL = '\192'

local function store_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- KEYS: owner. ARGV: who asks, lease, ms, 'take' | 'renew' | 'release', who is known to be gone ('' for nobody).
-- Returns {1} when the lease is held, {0, who holds it, for how many ms} when not.
local function alarms_lease(keys, argv)
  local now = store_ms()
  local owner = redis.call('HMGET', keys[1], 'node', 'lease', 'until')
  local is_ours = owner[2] == argv[2]
  if argv[4] == 'release' then
    if is_ours then
      redis.call('HSET', keys[1], 'until', '0')
    end
    return {1}
  end
  if not is_ours then
    local left = tonumber(owner[3] or '0') - now
    if argv[4] == 'renew' or (owner[1] and owner[1] ~= argv[1] and owner[1] ~= argv[5] and left > 0) then
      return {0, owner[1] or '', string.format('%.0f', math.max(left, 0))}
    end
    redis.call('HSET', keys[1], 'node', argv[1], 'lease', argv[2], 'number', '0')
  end
  redis.call('HSET', keys[1], 'until', string.format('%.0f', now + tonumber(argv[3])))
  return {1}
end

-- The operators' axis of alarms as it stands, as a change carries it.
local function operators_of(key, ids)
  local found = {}
  for first = 1, #ids, ALARM_CHUNK do
    local values = redis.call('HMGET', key, unpack(ids, first, math.min(first + ALARM_CHUNK - 1, #ids)))
    for i = 1, #values do
      local value = values[i]
      found[first + i - 1] = value and string.sub(value, ALARM_TOKEN_OCTETS + 1) or MSGPACK_NIL
    end
  end
  return found
end

local function set_fields(key, pairs_)
  for first = 1, #pairs_, ALARM_CHUNK do
    redis.call('HSET', key, unpack(pairs_, first, math.min(first + ALARM_CHUNK - 1, #pairs_)))
  end
end

local function content_of(value)
  return value and string.sub(value, ALARM_TOKEN_OCTETS + 1) or MSGPACK_NIL
end

local function remove_fields(key, argv, first, last)
  for i = first, last, ALARM_CHUNK do
    redis.call('HDEL', key, unpack(argv, i, math.min(i + ALARM_CHUNK - 1, last)))
  end
end

-- KEYS: owner, list, operators, changes, sources, tombstones, orders.
-- ARGV: lease, the batch's number under it, the lease's ms, the batch's token; how many alarms, operator records, changes,
-- sources, tombstones, purged alarms and orders. Then per alarm: id, content; per record: alarm id, the content that it
-- follows from ('' for none), content; per change: which of the alarms it is about (0: what stands in the list), alarm id,
-- the encoded change before its alarm and after its operator record; per source: name, value; per tombstone: alarm id,
-- value; the ids of what is purged; the ids of orders that are carried out; the ids of tombstones that are forgotten.
-- A record that an operator has changed meanwhile stays as the operator made it.
-- Returns 1 when the batch stands (also when it stood before), 2 when another has the list, 3 when a batch before it is
-- missing.
local function alarms_commit(keys, argv)
  local owner = redis.call('HMGET', keys[1], 'lease', 'number')
  if owner[1] ~= argv[1] then
    return 2
  end
  local number, last = tonumber(argv[2]), tonumber(owner[2])
  if number <= last then
    return 1
  end
  if number > last + 1 then
    return 3
  end
  local alarms, records, changes = tonumber(argv[5]), tonumber(argv[6]), tonumber(argv[7])
  local purged, orders = tonumber(argv[10]), tonumber(argv[11])
  local at, token = 12, argv[4]
  local first_alarm = at
  if alarms > 0 then
    local values = {}
    for i = 0, alarms - 1 do
      values[2 * i + 1], values[2 * i + 2] = argv[at], token .. argv[at + 1]
      at = at + 2
    end
    set_fields(keys[2], values)
  end
  for _ = 1, records do
    local record = redis.call('HGET', keys[3], argv[at])
    if (record and string.sub(record, ALARM_TOKEN_OCTETS + 1) or '') == argv[at + 1] then
      redis.call('HSET', keys[3], argv[at], token .. argv[at + 2])
    end
    at = at + 3
  end
  if changes > 0 then
    local ids = {}
    for i = 1, changes do
      ids[i] = argv[at + 4 * i - 3]
    end
    local operators = operators_of(keys[3], ids)
    for i = 1, changes do
      local index, alarm = tonumber(argv[at]), nil
      if index > 0 then
        alarm = argv[first_alarm + 2 * index - 1]
      else
        alarm = content_of(redis.call('HGET', keys[2], ids[i]))
      end
      redis.call('XADD', keys[4], '*', 'c', argv[at + 2] .. alarm .. operators[i] .. argv[at + 3])
      at = at + 4
    end
  end
  -- Sources and tombstones.
  for i = 0, 1 do
    local count, values = 2 * tonumber(argv[8 + i]), {}
    for j = 1, count do
      values[j] = argv[at + j - 1]
    end
    set_fields(keys[5 + i], values)
    at = at + count
  end
  remove_fields(keys[2], argv, at, at + purged - 1)
  remove_fields(keys[3], argv, at, at + purged - 1)
  remove_fields(keys[7], argv, at + purged, at + purged + orders - 1)
  remove_fields(keys[6], argv, at + purged + orders, #argv)
  -- Last: should anything above fail, the batch is sent again, and readers know its changes by their ids.
  redis.call('HSET', keys[1], 'number', argv[2], 'until', string.format('%.0f', store_ms() + tonumber(argv[3])))
  return 1
end

-- KEYS: list, operators, changes, desk. ARGV: alarm id, token of the record that was read ('' for none), new token, new
-- content, the encoded change before its alarm and after its operator record, how long the desk's stream may be.
-- Returns 1 when it was written (also when it had been), 2 when the record is another by now, 3 when there is no such alarm.
local function alarms_operate(keys, argv)
  local record = redis.call('HGET', keys[2], argv[1])
  local token = record and string.sub(record, 1, ALARM_TOKEN_OCTETS) or ''
  if token == argv[3] then
    return 1
  end
  local alarm = redis.call('HGET', keys[1], argv[1])
  if not alarm then
    return 3
  end
  if token ~= argv[2] then
    return 2
  end
  local change = argv[5] .. content_of(alarm) .. argv[4] .. argv[6]
  redis.call('XADD', keys[3], '*', 'c', change)
  redis.call('XADD', keys[4], 'MAXLEN', '~', argv[7], '*', 'c', change)
  redis.call('HSET', keys[2], argv[1], argv[3] .. argv[4])
  return 1
end

-- KEYS: list, operators, changes, desk. ARGV: how long the desk's stream may be; per alarm: id, tokens of the alarm and of
-- the operator record that were read ('' for none), the encoded change before its alarm and after its operator record.
-- Returns the ids of what was removed: alarms that changed meanwhile stay.
local function alarms_purge(keys, argv)
  local gone = {}
  for at = 2, #argv, 5 do
    local id = argv[at]
    local alarm, record = redis.call('HGET', keys[1], id), redis.call('HGET', keys[2], id)
    if alarm and string.sub(alarm, 1, ALARM_TOKEN_OCTETS) == argv[at + 1]
      and (record and string.sub(record, 1, ALARM_TOKEN_OCTETS) or '') == argv[at + 2] then
      local change = argv[at + 3] .. content_of(alarm) .. content_of(record) .. argv[at + 4]
      redis.call('XADD', keys[3], '*', 'c', change)
      redis.call('XADD', keys[4], 'MAXLEN', '~', argv[1], '*', 'c', change)
      redis.call('HDEL', keys[1], id)
      redis.call('HDEL', keys[2], id)
      gone[#gone + 1] = id
    end
  end
  return gone
end

-- KEYS: list, operators, changes, desk. ARGV: how long the desk's stream may be; per alarm: id, token of the alarm that was
-- read, new token, new content, the encoded change before its alarm and after its operator record.
-- Returns the ids of what was written (also when it had been): alarms that changed meanwhile stay.
local function alarms_compress(keys, argv)
  local done = {}
  for at = 2, #argv, 6 do
    local id = argv[at]
    local alarm = redis.call('HGET', keys[1], id)
    local token = alarm and string.sub(alarm, 1, ALARM_TOKEN_OCTETS)
    if token == argv[at + 1] then
      local change = argv[at + 4] .. argv[at + 3] .. content_of(redis.call('HGET', keys[2], id)) .. argv[at + 5]
      redis.call('XADD', keys[3], '*', 'c', change)
      redis.call('XADD', keys[4], 'MAXLEN', '~', argv[1], '*', 'c', change)
      redis.call('HSET', keys[1], id, argv[at + 2] .. argv[at + 3])
    end
    if token == argv[at + 1] or token == argv[at + 2] then
      done[#done + 1] = id
    end
  end
  return done
end

-- KEYS: a stream. ARGV: after which id, how many entries at most.
-- Returns {how many entries were trimmed so far, the id of the first that is left ('' for none), the last id that was
-- given, the entries}: in one step, so that a reader whom trimming overtook cannot miss it.
local function alarms_read(keys, argv)
  if redis.call('EXISTS', keys[1]) == 0 then
    return {0, '', '0-0', {}}
  end
  local found, info = {}, redis.call('XINFO', 'STREAM', keys[1])
  for i = 1, #info, 2 do
    found[info[i]] = info[i + 1]
  end
  local first = found['first-entry']
  return {found['entries-added'] - found['length'], first and first[1] or '', found['last-generated-id'],
          redis.call('XRANGE', keys[1], '(' .. argv[1], '+', 'COUNT', argv[2])}
end

redis.register_function('ocs_alarms_lease', alarms_lease)
redis.register_function('ocs_alarms_commit', alarms_commit)
redis.register_function('ocs_alarms_operate', alarms_operate)
redis.register_function('ocs_alarms_purge', alarms_purge)
redis.register_function('ocs_alarms_compress', alarms_compress)
redis.register_function{function_name = 'ocs_alarms_read', callback = alarms_read, flags = {'no-writes'}}
