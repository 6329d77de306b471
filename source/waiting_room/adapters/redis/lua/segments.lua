-- SPDX-License-Identifier: Apache-2.0
-- segments: functions of the scripts that change the served segments, after ``alive``. TIMES has
-- the first position of each second in which the serving counter rose. Fields of the state repeat
-- what every reading of the counts needs: the latest segments, and the oldest entry of TIMES.
local function add_segment(segment)
  local first, last, at = string.match(segment, '^(%d+):(%d+):(%d+)$')
  redis.call('ZADD', SERVED, last, segment)
  if redis.call('ZCOUNT', TIMES, at, at) == 0 then redis.call('ZADD', TIMES, at, first) end
end
local function remove_segment(segment)
  redis.call('ZREM', SERVED, segment)
  redis.call('ZREM', TIMES, string.match(segment, '^%d+'))
end
-- to be called after the last change; ``count`` is the number of latest segments
local function note_segments(count)
  local latest = redis.call('ZREVRANGE', SERVED, 0, count - 1)
  if not latest[1] then
    redis.call('HDEL', STATE, 'latest', 'oldest', 'oldest_at')
    return
  end
  local oldest = redis.call('ZRANGE', TIMES, 0, 0, 'WITHSCORES')
  redis.call('HSET', STATE, 'latest', table.concat(latest, ' '), 'oldest', oldest[1], 'oldest_at', oldest[2])
end
