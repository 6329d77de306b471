-- SPDX-License-Identifier: Apache-2.0
-- living: function of the scripts that need the open sessions by the time their token expires. The
-- field ``dead`` of the state is their number up to ``dead_through`` (s).
local function live_between(after, through)
  local sum = 0
  local seconds = redis.call('ZRANGEBYSCORE', LIVE, '(' .. after, through)
  for from = 1, #seconds, 1000 do
    local counts = redis.call('HMGET', LIVE_COUNT, unpack(seconds, from, math.min(from + 999, #seconds)))
    for _, count in ipairs(counts) do sum = sum + (tonumber(count) or 0) end
  end
  return sum
end
