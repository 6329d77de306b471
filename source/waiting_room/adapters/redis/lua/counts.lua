-- SPDX-License-Identifier: Apache-2.0
-- counts: all counts of an event.
-- Served segments adjoin, in order of position and of time. So the number of positions within a
-- window needs only the first position of the window. Exceptions do not matter: a gap lies before
-- the window, and times decrease only after a clock ran ahead by more than CLOCK_STEP.
-- ARGV 1 now (s)   2 rate window (s)   3 short rate window (s)
-- result: summary (see summary.lua)   latest (see segments.lua), '' without moves
--         tokens active completed abandoned sessions admitted admitted_shortly
local call = redis.call
local kept = call('HMGET', STATE, 'replication_id', 'summary', 'latest', 'tokens', 'completed',
  'abandoned', 'live', 'dead', 'dead_through', 'session_changes', 'firsts')
if not alive(kept[1]) then return LOST end
local now, latest = tonumber(ARGV[1]), kept[3] or ''
local live, dead, dead_through = (kept[7] or 0) + 0, (kept[8] or 0) + 0, (kept[9] or 0) + 0
if now < dead_through and dead > 0 then
  dead = dead - live_between(now, dead_through)
elseif now > dead_through and live > dead then
  dead = dead + live_between(dead_through, now)
end
-- an event that never had a session at a gate has no call for them
local sessions = kept[10] and kept[10] ~= '0' and call('ZCOUNT', SESSIONS, '(' .. now, '+inf') or 0
local admitted, shortly = 0, 0
if latest ~= '' then
  local top, admitted_at = string.match(latest, ' %d+:(%d+):(%d+)')
  local firsts, age, width = kept[11], now - admitted_at, #top
  local function within(window)
    if age >= window + 0 then return 0 end
    local first
    if age >= 0 then
      local from = (ARGV[2] - window + age) * width
      first = string.sub(firsts, from + 1, from + width)
    else -- this clock is behind that of the last move
      first = call('ZRANGEBYSCORE', TIMES, '(' .. now - window, '+inf', 'LIMIT', 0, 1)[1]
    end
    return top - first + 1
  end
  admitted, shortly = within(ARGV[2]), within(ARGV[3])
end
return {
  kept[2], latest, kept[4] or 0, live - dead, kept[5] or 0, kept[6] or 0, sessions, admitted, shortly,
}
