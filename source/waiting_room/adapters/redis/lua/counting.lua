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
local function count_session(position, expires_at, field)
  count_token(position, expires_at)
  if position <= number('settled_through') then return end
  if redis.call('SETBIT', ENDED, position, 1) == 1 then return end
  redis.call('HINCRBY', STATE, field, 1)
  if redis.call('HEXISTS', LIVE_COUNT, expires_at) == 1 then count_live(expires_at, -1) end
end
-- values that a checkpoint contains; a different text means that they changed since
local function checkpoint_values()
  local made = redis.call('HMGET', STATE, 'generation', 'version', 'tokens', 'completed', 'abandoned')
  return table.concat({made[1] or '', made[2] or '', made[3] or '', made[4] or '', made[5] or ''}, ':')
end
