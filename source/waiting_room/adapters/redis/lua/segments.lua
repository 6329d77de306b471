-- SPDX-License-Identifier: Apache-2.0
-- segments: functions of the scripts that change the served segments, after ``alive``. TIMES has
-- the first position of each second in which the serving counter rose.
local function add_segment(segment)
  local first, last, at = string.match(segment, '^(%d+):(%d+):(%d+)$')
  redis.call('ZADD', SERVED, last, segment)
  if redis.call('ZCOUNT', TIMES, at, at) == 0 then redis.call('ZADD', TIMES, at, first) end
end
local function remove_segment(segment)
  redis.call('ZREM', SERVED, segment)
  redis.call('ZREM', TIMES, string.match(segment, '^%d+'))
end
