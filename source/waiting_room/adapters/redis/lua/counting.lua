-- SPDX-License-Identifier: Apache-2.0
-- counting: functions of the scripts that count tokens and sessions, after ``alive``.
-- add ``count`` to the open sessions whose token expires at ``expires_at`` (s)
local function count_live(expires_at, count)
  redis.call('HINCRBY', STATE, 'live', count)
  redis.call('HINCRBY', LIVE_COUNT, expires_at, count)
  if tonumber(expires_at) <= number('dead_through') then redis.call('HINCRBY', STATE, 'dead', count) end
end
local function count_token(position, expires_at)
  if position <= number('settled_through') then return end
  if redis.call('SETBIT', TAKEN, position, 1) == 1 then return end
  redis.call('HINCRBY', STATE, 'tokens', 1)
  count_live(expires_at, 1)
  redis.call('ZADD', LIVE, expires_at, expires_at)
end
-- set the end of a gate's session to a later second; 0: the position has no open session
local function mark_session(position, until_)
  if tonumber(until_) == 0 or position <= number('settled_through') then return end
  if redis.call('GETBIT', ENDED, position) == 1 then return end
  local changed = redis.call('ZADD', SESSIONS, 'GT', 'CH', until_, position)
  if changed > 0 then redis.call('HINCRBY', STATE, 'session_changes', 1) end
end
local function count_session(position, expires_at, field)
  count_token(position, expires_at)
  if position <= number('settled_through') then return end
  if redis.call('SETBIT', ENDED, position, 1) == 1 then return end
  redis.call('ZREM', SESSIONS, position)
  redis.call('HINCRBY', STATE, field, 1)
  if redis.call('HEXISTS', LIVE_COUNT, expires_at) == 1 then count_live(expires_at, -1) end
end
-- values that a checkpoint contains; a different text means that they changed since
local function checkpoint_values()
  local made = redis.call('HMGET', STATE, 'generation', 'version', 'tokens', 'completed', 'abandoned',
    'session_changes')
  for index = 1, 6 do made[index] = made[index] or '' end
  return table.concat(made, ':')
end
