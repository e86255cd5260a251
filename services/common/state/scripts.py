"""Server-side scripts: each is done as a whole or not at all, and may be run twice with the same effect as once."""

from services.common.state.client import Script

PUBLISH_LATEST = Script("""
-- KEYS: hash, epochs, floor, city epoch, feeds, changes stream
-- ARGV: whole (1/0), kind, feed, digest bytes, stream length, forgotten kept, received at,
-- (length, entity, length, blob)…, removal…
local digest, kept = tonumber(ARGV[4]), tonumber(ARGV[6])
local given, at = {}, 1
while at <= #ARGV[8] do given[#given + 1], at = struct.unpack('>I4c0', ARGV[8], at) end
local changed, removed, seen = {}, {}, {}
for from = 1, #given, 1000 do
  local names, news = {}, {}
  for i = from, math.min(from + 998, #given), 2 do names[#names + 1] = given[i] end
  local olds = redis.call('HMGET', KEYS[1], unpack(names))
  for i, entity in ipairs(names) do
    local old, blob = olds[i], given[from + 2 * i - 1]
    seen[entity] = true
    if old ~= blob then
      news[#news + 1] = entity
      news[#news + 1] = blob
      if not old or string.sub(old, 1, digest) ~= string.sub(blob, 1, digest) then changed[#changed + 1] = entity end
    end
  end
  if #news > 0 then redis.call('HSET', KEYS[1], unpack(news)) end
end
local function mark(entities, stamp)
  for from = 1, #entities, 500 do
    local scores = {}
    for i = from, math.min(from + 499, #entities) do
      scores[#scores + 1] = stamp
      scores[#scores + 1] = entities[i]
    end
    redis.call('ZADD', KEYS[2], unpack(scores))
  end
end
if ARGV[1] == '1' then
  for _, entity in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not seen[entity] then removed[#removed + 1] = entity end
  end
else
  for i = 9, #ARGV do
    if not seen[ARGV[i]] and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then removed[#removed + 1] = ARGV[i] end
  end
end
local field = ARGV[2] .. '|' .. ARGV[3]
local epoch = tonumber(string.match(redis.call('HGET', KEYS[5], field) or '0', '^%d+'))
if #changed + #removed > 0 then
  local time = redis.call('TIME')
  local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  epoch = math.max(tonumber(redis.call('GET', KEYS[4]) or '0') + 1, now_ms)
  local stamp = string.format('%.0f', epoch)
  redis.call('SET', KEYS[4], stamp)
  for _, entity in ipairs(removed) do redis.call('HDEL', KEYS[1], entity) end
  mark(changed, stamp)
  mark(removed, stamp)
  local alive = redis.call('HLEN', KEYS[1])
  if redis.call('ZCARD', KEYS[2]) > 2 * alive + kept then
    for _, entity in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      if redis.call('HEXISTS', KEYS[1], entity) == 0 then redis.call('ZREM', KEYS[2], entity) end
    end
    redis.call('SET', KEYS[3], stamp)
  end
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[5], '*', 'kind', ARGV[2], 'feed', ARGV[3], 'epoch', stamp,
    'changed', #changed, 'removed', #removed)
end
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[5], field, text .. ',' .. redis.call('HLEN', KEYS[1]) .. ',' .. ARGV[7])
return {text, #changed, #removed}
""")

READ_LATEST_SINCE = Script("""
-- KEYS: hash, epochs, floor, feeds   ARGV: since, kind, feed   → {epoch, complete, entity, blob or false, …}
local state = redis.call('HGET', KEYS[4], ARGV[2] .. '|' .. ARGV[3])
local epoch = state and tonumber(string.match(state, '^%d+')) or 0
local since = tonumber(ARGV[1])
local result = {string.format('%.0f', epoch), 0}
if since <= 0 or since > epoch or since < tonumber(redis.call('GET', KEYS[3]) or '0') then
  result[2] = 1
  for _, part in ipairs(redis.call('HGETALL', KEYS[1])) do result[#result + 1] = part end
elseif since < epoch then
  for _, entity in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf')) do
    result[#result + 1] = entity
    result[#result + 1] = redis.call('HGET', KEYS[1], entity)
  end
end
return result
""")

BURY = Script("""
-- KEYS: stream, dead stream   ARGV: group, id, length, (field, value)…   The entry stays in its stream, but is done.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
local fields = {}
for i = 4, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', unpack(fields))
return 1
""")

PUBLISH_SNAPSHOT = Script("""
-- KEYS: pointer, blob, changes stream
-- ARGV: name, sha256, blob, at, stream length, seconds an old blob is kept, prefix of blobs
local old = redis.call('HMGET', KEYS[1], 'sha256', 'epoch')
if old[1] == ARGV[2] then return old[2] end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local epoch = string.format('%.0f', math.max(tonumber(old[2] or '0') + 1, now_ms))
redis.call('SET', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'sha256', ARGV[2], 'epoch', epoch, 'at', ARGV[4])
if old[1] then redis.call('EXPIRE', ARGV[7] .. old[1], ARGV[6]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'kind', 'snapshot', 'feed', ARGV[1], 'epoch', epoch)
return epoch
""")

PUT_DOCUMENT = Script("""
-- KEYS: hash, (stream to announce it in)   ARGV: id, content, expected version (-1 any), write id, seconds to keep the hash
-- (0 = for ever)   → {written, version}
local old = redis.call('HGET', KEYS[1], ARGV[1])
local version, writer = 0, ''
if old then
  version, writer = string.match(old, '^(%d+),(%x+),')
  version = tonumber(version)
end
if writer == ARGV[4] then return {1, version} end
local expected = tonumber(ARGV[3])
if expected >= 0 and expected ~= version then return {0, version} end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', version + 1) .. ',' .. ARGV[4] .. ',' .. ARGV[2])
if tonumber(ARGV[5]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
if KEYS[2] then redis.call('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', 200, '*', 'version', tostring(version + 1)) end
return {1, version + 1}
""")

APPEND_AUDIT = Script("""
-- KEYS: log, head   ARGV: expected sequence number, expected hash, new sequence number, new hash, (entry)…
local head = redis.call('HMGET', KEYS[2], 'sequence', 'hash')
if head[1] == ARGV[3] and head[2] == ARGV[4] then return 1 end
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return 0 end
for i = 5, #ARGV do redis.call('XADD', KEYS[1], '*', 'entry', ARGV[i]) end
redis.call('HSET', KEYS[2], 'sequence', ARGV[3], 'hash', ARGV[4])
return 1
""")

SUBMIT_JOB = Script("""
-- KEYS: queue, job, jobs of the tenant   ARGV: id, payload, tenant, at, length of queue allowed
-- → 1 queued, 2 known already, 0 full
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if tonumber(ARGV[5]) > 0 and redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', KEYS[2], 'state', 'QUEUED', 'payload', ARGV[2], 'tenant', ARGV[3], 'submitted_at', ARGV[4], 'attempt', 0)
redis.call('XADD', KEYS[1], '*', 'job', ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
return 1
""")

START_JOB = Script("""
-- KEYS: queue, job, log   ARGV: group, entry id, attempts allowed, worker, at, delivery id, seconds kept
-- → {state, attempt}; states other than RUNNING took the entry off the queue
local now = redis.call('HMGET', KEYS[2], 'state', 'attempt', 'delivery')
if now[1] == 'RUNNING' and now[3] == ARGV[6] then return {now[1], tonumber(now[2])} end
local finished = now[1] ~= 'QUEUED' and now[1] ~= 'RUNNING'
local attempt = tonumber(now[2] or '0') + 1
if not finished and attempt > tonumber(ARGV[3]) then
  redis.call('HSETNX', KEYS[2], 'error', 'the workers that had the job ended ' .. ARGV[3] .. ' times before it was done')
  redis.call('HSET', KEYS[2], 'state', 'FAILED', 'finished_at', ARGV[5])
  redis.call('XADD', KEYS[3], '*', 'state', 'FAILED')
  redis.call('EXPIRE', KEYS[2], ARGV[7])
  redis.call('EXPIRE', KEYS[3], ARGV[7])
  finished = true
end
if finished then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  redis.call('XDEL', KEYS[1], ARGV[2])
  return {now[1] or 'GONE', 0}
end
redis.call('HSET', KEYS[2], 'state', 'RUNNING', 'attempt', attempt, 'worker', ARGV[4], 'started_at', ARGV[5],
  'delivery', ARGV[6])
redis.call('XADD', KEYS[3], '*', 'state', 'RUNNING')
return {'RUNNING', attempt}
""")

EXTEND_JOB = Script("""
-- KEYS: queue, job   ARGV: attempt, group, worker, entry id   → 1 still ours, 0 stop
local now = redis.call('HMGET', KEYS[2], 'state', 'attempt')
if now[1] ~= 'RUNNING' or now[2] ~= ARGV[1] then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[2], ARGV[3], 0, ARGV[4], 'JUSTID')
return 1
""")

REPORT_JOB = Script("""
-- KEYS: job, log   ARGV: attempt, progress, log length, write id   → 1 go on, 0 stop (cancelled, or somebody else has it)
local now = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'write')
if now[1] ~= 'RUNNING' or now[2] ~= ARGV[1] then return 0 end
if now[3] ~= ARGV[4] then
  redis.call('HSET', KEYS[1], 'progress', ARGV[2], 'write', ARGV[4])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'state', 'RUNNING', 'progress', ARGV[2])
end
return 1
""")

FINISH_JOB = Script("""
-- KEYS: queue, job, log   ARGV: attempt, state, result, error, at, seconds kept, group, entry id
-- → 1 recorded (or was already), 0 refused: the job is not this attempt's any more
local now = redis.call('HMGET', KEYS[2], 'state', 'attempt')
if now[1] == ARGV[2] and now[2] == ARGV[1] then return 1 end
if now[1] ~= 'RUNNING' or now[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'state', ARGV[2], 'result', ARGV[3], 'error', ARGV[4], 'finished_at', ARGV[5])
redis.call('XACK', KEYS[1], ARGV[7], ARGV[8])
redis.call('XDEL', KEYS[1], ARGV[8])
redis.call('XADD', KEYS[3], '*', 'state', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('EXPIRE', KEYS[3], ARGV[6])
return 1
""")

REQUEUE_JOB = Script("""
-- KEYS: queue, job   ARGV: attempt, error, group, entry id, job id   → 1 queued again, 0 the job is not this attempt's
local now = redis.call('HMGET', KEYS[2], 'state', 'attempt')
if now[1] ~= 'RUNNING' or now[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'state', 'QUEUED', 'error', ARGV[2])
redis.call('XACK', KEYS[1], ARGV[3], ARGV[4])
redis.call('XDEL', KEYS[1], ARGV[4])
redis.call('XADD', KEYS[1], '*', 'job', ARGV[5])
return 1
""")

CANCEL_JOB = Script("""
-- KEYS: job, log   ARGV: at, seconds kept   → state after
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'GONE' end
if state == 'QUEUED' or state == 'RUNNING' then
  redis.call('HSET', KEYS[1], 'state', 'CANCELLED', 'finished_at', ARGV[1])
  redis.call('XADD', KEYS[2], '*', 'state', 'CANCELLED')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  return 'CANCELLED'
end
return state
""")
