-- SPDX-License-Identifier: Apache-2.0
-- count_session: count an ended session once, and its token if that was not counted yet.
-- ARGV 1 generation   2 position   3 expires_at (s)   4 field: completed or abandoned
-- result: 1; 0 when the session is of an older generation
if not alive() then return LOST end
local generation = number('generation')
if tonumber(ARGV[1]) < generation then return 0 end
if tonumber(ARGV[1]) > generation then return LOST end
local position, expires_at = tonumber(ARGV[2]), ARGV[3]
count_token(position, expires_at)
if position <= number('settled') or redis.call('SETBIT', ENDED, position, 1) == 1 then return 1 end
redis.call('HINCRBY', STATE, ARGV[4], 1)
if redis.call('HEXISTS', LIVE_COUNT, expires_at) == 1 then
  redis.call('HINCRBY', LIVE_COUNT, expires_at, -1)
  redis.call('HINCRBY', STATE, 'live', -1)
end
return 1
