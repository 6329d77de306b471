-- SPDX-License-Identifier: Apache-2.0
-- begin_rebuild: let one caller at a time read the tables, from a moment after the loss.
-- KEYS 8 the ticket of the rebuild under way
-- ARGV 1 the caller's ticket   2 life of a ticket (ms)   3 give up the copy that stands (0 or 1)
-- result: 0 the copy is whole, 1 the caller rebuilds, 2 another caller does
if alive() then
  if ARGV[3] == '0' then return 0 end
  redis.call('HDEL', STATE, 'run')
end
local held = redis.call('GET', KEYS[8])
if held and string.sub(held, 1, #RUN) == RUN and held ~= RUN .. ':' .. ARGV[1] then return 2 end
redis.call('SET', KEYS[8], RUN .. ':' .. ARGV[1], 'PX', ARGV[2])
return 1
