-- SPDX-License-Identifier: Apache-2.0
-- counting: functions of the scripts that count tokens and sessions, after ``alive``.
local function count_token(position, expires_at)
  if position <= number('settled_through') then return end
  if redis.call('SETBIT', TAKEN, position, 1) == 1 then return end
  redis.call('HINCRBY', STATE, 'tokens', 1)
  redis.call('HINCRBY', STATE, 'live', 1)
  redis.call('HINCRBY', LIVE_COUNT, expires_at, 1)
  redis.call('ZADD', LIVE, expires_at, expires_at)
end
local function count_session(position, expires_at, field)
  count_token(position, expires_at)
  if position <= number('settled_through') then return end
  if redis.call('SETBIT', ENDED, position, 1) == 1 then return end
  redis.call('HINCRBY', STATE, field, 1)
  if redis.call('HEXISTS', LIVE_COUNT, expires_at) == 1 then
    redis.call('HINCRBY', LIVE_COUNT, expires_at, -1)
    redis.call('HINCRBY', STATE, 'live', -1)
  end
end
-- values that a checkpoint contains; a different text means that they changed since
local function checkpoint_values()
  local made = redis.call('HMGET', STATE, 'generation', 'version', 'tokens', 'completed', 'abandoned')
  return table.concat({made[1] or '', made[2] or '', made[3] or '', made[4] or '', made[5] or ''}, ':')
end
