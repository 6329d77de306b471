-- SPDX-License-Identifier: Apache-2.0
-- trim: delete data that no caller needs any more.
-- ARGV 1 remove the live counts of tokens that expired up to this time (s)
--      2 segments older than this may be deleted (s)
--      3 time of the last reconciliation, 4 of the last sweep that succeeded (s; 0: none)
--      5 number of latest segments to keep
-- result: changed (1: no checkpoint contains the latest changes), unverified position
if not alive() then return LOST end
for _, expires_at in ipairs(redis.call('ZRANGEBYSCORE', LIVE, '-inf', ARGV[1])) do
  local count = tonumber(redis.call('HGET', LIVE_COUNT, expires_at)) or 0
  redis.call('HINCRBY', STATE, 'live', -count)
  redis.call('HDEL', LIVE_COUNT, expires_at)
  redis.call('ZREM', LIVE, expires_at)
end
local segments = redis.call('ZRANGEBYSCORE', SERVED, '-inf', number('expired_through'))
for index = 1, math.min(#segments, redis.call('ZCARD', SERVED) - tonumber(ARGV[5])) do
  local segment = segments[index]
  local at = string.match(segment, ':(%d+)$')
  if tonumber(at) < tonumber(ARGV[2]) then redis.call('ZREM', SERVED, segment) end
end
local oldest = redis.call('ZRANGE', SERVED, 0, 0)[1]
if oldest then
  local first, at = string.match(oldest, '^(%d+):%d+:(%d+)$')
  if redis.call('ZRANGE', TIMES, 0, 0)[1] ~= first then
    redis.call('ZREMRANGEBYSCORE', TIMES, '-inf', at)
    redis.call('ZADD', TIMES, at, first)
  end
end
for index, field in ipairs({'reconciled_at', 'swept_at'}) do
  if tonumber(ARGV[index + 2]) > number(field) then
    redis.call('HSET', STATE, field, ARGV[index + 2])
  end
end
local changed = redis.call('HGET', STATE, 'checkpointed') ~= checkpoint_values()
return {changed and 1 or 0, number('unverified')}
