-- SPDX-License-Identifier: Apache-2.0
-- The previous script ``counts.lua``, which iterates over the moves of the rate window. Only the
-- benchmark ``counter_reads`` uses it, for comparison. Its checks of the server are those of
-- ``alive.lua`` at that time, with two calls of INFO.
-- ARGV 1 now (s)   2 rate window (s)   3 short rate window (s)   4 number of latest segments
-- result: generation queue serving holes tokens expired active completed abandoned admitted
--         admitting_since (s) message version lowering reconciled_at (s) swept_at (s)
--         admitted_at (s) admitted_shortly first_moved_at (s); 0: not known
--         latest segments "first:last:at", the latest first, with spaces between
local STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT = unpack(KEYS, 1, 7)
local LOST = {err = 'LOST the counters are not whole'}
local REPLICATION = redis.call('INFO', 'replication')
local RUN = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. ':' .. string.match(REPLICATION, 'master_replid:(%w+)')
local function alive()
  return string.find(REPLICATION, 'role:master', 1, true) and redis.call('HGET', STATE, 'run') == RUN
end
local function number(field) return tonumber(redis.call('HGET', STATE, field)) or 0 end
local function holes() return number('holes') + redis.call('ZCARD', HOLES) end
if not alive() then return LOST end
local now = tonumber(ARGV[1])
local since, shortly = now - tonumber(ARGV[2]), now - tonumber(ARGV[3])
local dead = 0
local over = redis.call('ZRANGEBYSCORE', LIVE, '-inf', now)
for _, expires_at in ipairs(over) do
  dead = dead + (tonumber(redis.call('HGET', LIVE_COUNT, expires_at)) or 0)
end
local admitted, admitted_shortly = 0, 0
local segments = redis.call('ZREVRANGE', SERVED, 0, 999)
for _, segment in ipairs(segments) do
  local first, last, at = string.match(segment, '(%d+):(%d+):(%d+)')
  at = tonumber(at)
  if at <= since then break end
  local size = tonumber(last) - tonumber(first) + 1
  admitted = admitted + size
  if at > shortly then admitted_shortly = admitted_shortly + size end
end
local oldest = segments[#segments]
if #segments == 1000 then oldest = redis.call('ZRANGE', SERVED, 0, 0)[1] end
local admitting_since = oldest and tonumber(string.match(oldest, ':(%d+)$')) or 0
local admitted_at = segments[1] and tonumber(string.match(segments[1], ':(%d+)$')) or 0
local latest = table.concat(segments, ' ', 1, math.min(#segments, tonumber(ARGV[4])))
local kept = redis.call('HMGET', STATE, 'generation', 'queue', 'serving', 'holes', 'tokens',
  'expired', 'live', 'completed', 'abandoned', 'message', 'version', 'lowering', 'reconciled_at',
  'swept_at', 'first_moved_at')
local function of(index) return tonumber(kept[index]) or 0 end
local first_moved_at = of(15)
if first_moved_at == 0 then first_moved_at = admitting_since end
return {
  of(1), of(2), of(3), of(4) + redis.call('ZCARD', HOLES), of(5), of(6), of(7) - dead, of(8), of(9),
  admitted, admitting_since, kept[10] or '', of(11), of(12), of(13), of(14), admitted_at,
  admitted_shortly, first_moved_at, latest,
}
