-- SPDX-License-Identifier: Apache-2.0
-- begin_rebuild: let one caller at a time read the tables, from a moment after the loss.
-- KEYS 8 whose turn it is   9 the tickets taken since the loss
-- ARGV 1 the caller's ticket   2 life of a turn (ms)   3 give up the copy that stands (0 or 1)
-- result: 0 the copy is whole, 1 the caller rebuilds, 2 another caller does
if alive() then
  if ARGV[3] == '0' then return 0 end
  redis.call('HDEL', STATE, 'run')
  redis.call('DEL', KEYS[8], KEYS[9])
end
local held, ticket = redis.call('GET', KEYS[8]), RUN .. ':' .. ARGV[1]
if held and held ~= ticket and string.sub(held, 1, #RUN) == RUN then return 2 end
redis.call('SET', KEYS[8], ticket, 'PX', ARGV[2])
redis.call('SADD', KEYS[9], ticket)
return 1
