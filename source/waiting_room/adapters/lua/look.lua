-- SPDX-License-Identifier: Apache-2.0
-- look: all figures of an event.
-- ARGV 1 now (s)   2 rate window (s)
-- result: generation queue serving holes tokens expired active completed abandoned admitted
--         admitting_since (s) message version lowering reconciled_at (s) swept_at (s)
--         admitted_at (s); 0: not known
if not alive() then return LOST end
local now, since = tonumber(ARGV[1]), tonumber(ARGV[1]) - tonumber(ARGV[2])
local dead = 0
local over = redis.call('ZRANGEBYSCORE', LIVE, '-inf', now)
for _, expires_at in ipairs(over) do
  dead = dead + (tonumber(redis.call('HGET', LIVE_COUNT, expires_at)) or 0)
end
local admitted = 0
for _, segment in ipairs(redis.call('ZREVRANGE', SERVED, 0, 999)) do
  local first, last, at = string.match(segment, '(%d+):(%d+):(%d+)')
  if tonumber(at) <= since then break end
  admitted = admitted + tonumber(last) - tonumber(first) + 1
end
local oldest = redis.call('ZRANGE', SERVED, 0, 0)[1]
local admitting_since = oldest and tonumber(string.match(oldest, ':(%d+)$')) or 0
local latest = redis.call('ZREVRANGE', SERVED, 0, 0)[1]
local admitted_at = latest and tonumber(string.match(latest, ':(%d+)$')) or 0
return {
  number('generation'), number('queue'), number('serving'), holes(), number('tokens'),
  number('expired'), number('live') - dead, number('completed'), number('abandoned'), admitted,
  admitting_since,
  redis.call('HGET', STATE, 'message') or '', number('version'), number('lowering'),
  number('reconciled_at'), number('swept_at'), admitted_at,
}
