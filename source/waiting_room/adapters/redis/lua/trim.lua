-- SPDX-License-Identifier: Apache-2.0
-- trim: delete data that no caller needs any more.
-- ARGV 1 remove the live counts of tokens, and the sessions, that ended up to this time (s)
--      2 segments older than this may be deleted (s)
--      3 time of the last reconciliation, 4 of the last sweep that succeeded (s; 0: none)
--      5 number of latest segments to keep   6 now (s)   7 rate window (s)
-- result: changed (1: no checkpoint contains the latest changes), unverified position
if not alive() then return LOST end
local now, dead_through = tonumber(ARGV[6]), number('dead_through')
local dead = live_between(dead_through, now)
if dead ~= 0 then
  redis.call('HSET', STATE, 'dead_through', now)
  redis.call('HINCRBY', STATE, 'dead', dead)
end
for _, expires_at in ipairs(redis.call('ZRANGEBYSCORE', LIVE, '-inf', ARGV[1])) do
  count_live(expires_at, -(tonumber(redis.call('HGET', LIVE_COUNT, expires_at)) or 0))
  redis.call('HDEL', LIVE_COUNT, expires_at)
  redis.call('ZREM', LIVE, expires_at)
end
if redis.call('ZCOUNT', SESSIONS, '-inf', ARGV[1]) > 0 then
  redis.call('ZREMRANGEBYSCORE', SESSIONS, '-inf', ARGV[1])
end
local removed = false
local segments = redis.call('ZRANGEBYSCORE', SERVED, '-inf', number('expired_through'))
for index = 1, math.min(#segments, redis.call('ZCARD', SERVED) - tonumber(ARGV[5])) do
  local segment = segments[index]
  local at = string.match(segment, ':(%d+)$')
  if tonumber(at) < tonumber(ARGV[2]) then
    remove_segment(segment)
    removed = true
  end
end
-- the oldest one left may be of the same second as one that was removed
if removed then
  add_segment(redis.call('ZRANGE', SERVED, 0, 0)[1])
  note_segments(ARGV[5], ARGV[7])
end
for index, field in ipairs({'reconciled_at', 'swept_at'}) do
  if tonumber(ARGV[index + 2]) > number(field) then
    redis.call('HSET', STATE, field, ARGV[index + 2])
  end
end
note_summary()
local changed = redis.call('HGET', STATE, 'checkpointed') ~= checkpoint_values()
return {changed and 1 or 0, number('unverified')}
