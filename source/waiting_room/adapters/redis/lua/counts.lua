-- SPDX-License-Identifier: Apache-2.0
-- counts: all counts of an event.
-- Served segments adjoin, in order of position and of time. So the number of positions within a
-- window needs only the first position of the window. Exceptions do not matter: a gap lies before
-- the window, and times decrease only after a clock ran ahead by more than CLOCK_STEP.
-- ARGV 1 now (s)   2 rate window (s)   3 short rate window (s)   4 number of latest segments
-- result: generation queue serving holes tokens expired active completed abandoned admitted
--         admitting_since (s) message version lowering reconciled_at (s) swept_at (s)
--         admitted_at (s) admitted_shortly first_moved_at (s) sessions; 0: not known
--         latest segments "first:last:at", the latest first, with spaces between
local call, match = redis.call, string.match
local kept = call('HMGET', STATE, 'run', 'generation', 'queue', 'serving', 'holes', 'tokens',
  'expired', 'live', 'completed', 'abandoned', 'message', 'version', 'lowering', 'reconciled_at',
  'swept_at', 'first_moved_at', 'dead', 'dead_through')
if not alive(kept[1]) then return LOST end
local message = kept[11] or ''
for index = 2, 18 do kept[index] = tonumber(kept[index]) or 0 end
local now = tonumber(ARGV[1])
local dead, dead_through = kept[17], kept[18]
if now < dead_through then
  dead = dead - live_between(now, dead_through)
else
  dead = dead + live_between(dead_through, now)
end
local admitting_since, admitted_at, admitted, shortly, latest = 0, 0, 0, 0, ''
local segments = call('ZREVRANGE', SERVED, 0, ARGV[4] - 1)
if segments[1] then
  latest = table.concat(segments, ' ')
  local top, at = match(segments[1], ':(%d+):(%d+)$')
  admitted_at = tonumber(at)
  local oldest = call('ZRANGE', TIMES, 0, 0, 'WITHSCORES')
  admitting_since = tonumber(oldest[2])
  local function within(window)
    local since = now - window
    if admitted_at <= since then return 0 end
    local first = admitting_since > since and oldest[1]
      or call('ZRANGEBYSCORE', TIMES, '(' .. since, '+inf', 'LIMIT', 0, 1)[1]
    return first and top - first + 1 or 0
  end
  admitted, shortly = within(ARGV[2]), within(ARGV[3])
end
if kept[16] == 0 then kept[16] = admitting_since end
return {
  kept[2], kept[3], kept[4], kept[5] + call('ZCARD', HOLES), kept[6], kept[7], kept[8] - dead, kept[9],
  kept[10], admitted, admitting_since, message, kept[12], kept[13], kept[14], kept[15], admitted_at,
  shortly, kept[16], call('ZCOUNT', SESSIONS, '(' .. now, '+inf'), latest,
}
