-- SPDX-License-Identifier: Apache-2.0
-- The previous script ``counts.lua``, which reads 23 fields and searches for the first position of a
-- window. Only the benchmark ``counter_reads`` uses it, for comparison.
local STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT, TIMES, SESSIONS = unpack(KEYS, 1, 9)
local LOST = {err = 'LOST the counters are not whole'}
local REPLICATION = redis.call('INFO', 'replication')
local function alive(built_on)
  built_on = built_on or redis.call('HGET', STATE, 'built_on')
  return built_on and string.find(REPLICATION, 'role:master', 1, true)
    and string.find(REPLICATION, '\nmaster_replid:' .. built_on .. '\r\n', 1, true)
end
local function run_id() return string.match(REPLICATION, 'master_replid:(%w+)') end
local function number(field) return tonumber(redis.call('HGET', STATE, field)) or 0 end
local function live_between(after, through)
  local sum = 0
  local seconds = redis.call('ZRANGEBYSCORE', LIVE, '(' .. after, through)
  for from = 1, #seconds, 1000 do
    local counts = redis.call('HMGET', LIVE_COUNT, unpack(seconds, from, math.min(from + 999, #seconds)))
    for _, count in ipairs(counts) do sum = sum + (tonumber(count) or 0) end
  end
  return sum
end
-- ARGV 1 now (s)   2 rate window (s)   3 short rate window (s)
-- result: generation queue serving holes tokens expired active completed abandoned admitted
--         admitting_since (s) message version lowering reconciled_at (s) swept_at (s)
--         admitted_at (s) admitted_shortly first_moved_at (s) sessions; 0: not known
--         latest segments "first:last:at", the latest first, with spaces between
local call, match = redis.call, string.match
local kept = call('HMGET', STATE, 'built_on', 'generation', 'queue', 'serving', 'holes', 'tokens',
  'expired', 'live', 'completed', 'abandoned', 'message', 'version', 'lowering', 'reconciled_at',
  'swept_at', 'first_moved_at', 'dead', 'dead_through', 'known_holes', 'session_changes',
  'oldest', 'oldest_at', 'latest')
if not alive(kept[1]) then return LOST end
local function field(index) return tonumber(kept[index] or 0) end
local now = tonumber(ARGV[1])
local live, dead, dead_through = field(8), field(17), field(18)
if now < dead_through and dead > 0 then
  dead = dead - live_between(now, dead_through)
elseif now > dead_through and live > dead then
  dead = dead + live_between(dead_through, now)
end
local sessions = kept[20] and kept[20] ~= '0' and call('ZCOUNT', SESSIONS, '(' .. now, '+inf') or 0
local oldest, admitting_since, latest = kept[21], field(22), kept[23] or ''
local admitted_at, admitted, shortly = 0, 0, 0
if latest ~= '' then
  local top, at = match(latest, '^%d+:(%d+):(%d+)')
  admitted_at = tonumber(at)
  local function within(window)
    local since = now - window
    if admitted_at <= since then return 0 end
    local first = admitting_since > since and oldest
      or call('ZRANGEBYSCORE', TIMES, '(' .. since, '+inf', 'LIMIT', 0, 1)[1]
    return first and top - first + 1 or 0
  end
  admitted, shortly = within(ARGV[2]), within(ARGV[3])
end
return {
  kept[2] or 0, kept[3] or 0, kept[4] or 0, field(5) + field(19), kept[6] or 0, kept[7] or 0,
  live - dead, kept[9] or 0, kept[10] or 0, admitted, admitting_since, kept[11] or '', kept[12] or 0,
  kept[13] or 0, kept[14] or 0, kept[15] or 0, admitted_at, shortly, kept[16] or admitting_since,
  sessions, latest,
}
