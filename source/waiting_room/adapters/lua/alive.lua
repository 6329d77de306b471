-- SPDX-License-Identifier: Apache-2.0
-- alive: stands before every script. Answers whether the copy is the one this server built.
-- A server that restarted, failed over or loaded a snapshot has another run id, so what it holds may
-- be older than what was said; an emptied server has no state. Both mean LOST.
-- KEYS[1] state hash   KEYS[2] served zset   KEYS[3] holes zset   KEYS[4] taken bitmap
-- KEYS[5] ended bitmap   KEYS[6] live zset   KEYS[7] live counts hash
local STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT = unpack(KEYS, 1, 7)
local LOST = {err = 'LOST the counters are not whole'}
local RUN = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local function alive() return redis.call('HGET', STATE, 'run') == RUN end
local function number(field) return tonumber(redis.call('HGET', STATE, field)) or 0 end
local function holes() return number('holes') + redis.call('ZCARD', HOLES) end
local function count_token(position, expires_at)
  if position <= number('settled') or redis.call('SETBIT', TAKEN, position, 1) == 1 then return end
  redis.call('HINCRBY', STATE, 'tokens', 1)
  redis.call('HINCRBY', STATE, 'live', 1)
  redis.call('HINCRBY', LIVE_COUNT, expires_at, 1)
  redis.call('ZADD', LIVE, expires_at, expires_at)
end
