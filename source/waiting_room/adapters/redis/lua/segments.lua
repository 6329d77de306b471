-- SPDX-License-Identifier: Apache-2.0
-- segments: functions of the scripts that change the served segments, after ``alive``. TIMES has
-- the first position of each second in which the serving counter rose. Two fields of the state
-- repeat what every reading of the counts needs, so that it needs no sorted set:
-- ``latest``: time of the oldest entry of TIMES, then the latest segments "first:last:at", the latest
-- first, with spaces between; ``firsts``: for each second of the rate window that ends with the last
-- move, the first position that was admitted in that second or later, all of the same width.
local function add_segment(segment)
  local first, last, at = string.match(segment, '^(%d+):(%d+):(%d+)$')
  redis.call('ZADD', SERVED, last, segment)
  if redis.call('ZCOUNT', TIMES, at, at) == 0 then redis.call('ZADD', TIMES, at, first) end
end
local function remove_segment(segment)
  redis.call('ZREM', SERVED, segment)
  redis.call('ZREM', TIMES, string.match(segment, '^%d+'))
end
-- to be called after the last change; ``count`` is the number of latest segments, ``window`` the rate
-- window (s)
local function note_segments(count, window)
  local latest = redis.call('ZREVRANGE', SERVED, 0, count - 1)
  if not latest[1] then
    redis.call('HDEL', STATE, 'latest', 'firsts')
    return
  end
  local first, top, admitted_at = string.match(latest[1], '(%d+):(%d+):(%d+)')
  local template, firsts, second = '%0' .. #top .. 'd', {}, admitted_at - window
  local times = redis.call('ZRANGEBYSCORE', TIMES, '(' .. second, admitted_at, 'WITHSCORES')
  for index = 1, #times, 2 do
    local at = tonumber(times[index + 1])
    firsts[#firsts + 1] = string.rep(string.format(template, times[index]), at - second)
    second = at
  end
  -- the upkeep may have deleted the entry of the last second, if a clock ran ahead
  firsts[#firsts + 1] = string.rep(string.format(template, first), admitted_at - second)
  local oldest = redis.call('ZRANGE', TIMES, 0, 0, 'WITHSCORES')[2]
  redis.call('HSET', STATE, 'latest', oldest .. ' ' .. table.concat(latest, ' '),
    'firsts', table.concat(firsts))
end
