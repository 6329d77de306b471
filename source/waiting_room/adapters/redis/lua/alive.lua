-- SPDX-License-Identifier: Apache-2.0
-- alive: precedes every script. Returns whether the copy is complete: built on this server.
-- A server that restarted or loaded a snapshot has another run id. One that became primary has
-- another replication id, also if it was primary before. A replica may lag. The data of each of
-- them may be older than results already returned. An emptied server has no state. All mean LOST.
-- KEYS[1] state hash   KEYS[2] served zset   KEYS[3] holes zset   KEYS[4] taken bitmap
-- KEYS[5] ended bitmap   KEYS[6] live zset   KEYS[7] live counts hash
local STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT = unpack(KEYS, 1, 7)
local LOST = {err = 'LOST the counters are not whole'}
local REPLICATION = redis.call('INFO', 'replication')
local RUN = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. ':' .. string.match(REPLICATION, 'master_replid:(%w+)')
local function alive()
  return string.find(REPLICATION, 'role:master', 1, true) and redis.call('HGET', STATE, 'run') == RUN
end
local function number(field) return tonumber(redis.call('HGET', STATE, field)) or 0 end
local function holes() return number('holes') + redis.call('ZCARD', HOLES) end
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
