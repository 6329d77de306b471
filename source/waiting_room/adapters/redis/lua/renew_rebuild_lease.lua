-- SPDX-License-Identifier: Apache-2.0
-- prolong_rebuild: the caller is still reading.
-- KEYS 8 whose turn it is   9 the tickets taken since the loss
-- ARGV 1 the caller's ticket   2 life of a turn (ms)
-- result: 1; LOST when the ticket was taken before a loss, or another caller was quicker
local ticket = RUN .. ':' .. ARGV[1]
if alive() or redis.call('SISMEMBER', KEYS[9], ticket) == 0 then return LOST end
if (redis.call('GET', KEYS[8]) or ticket) == ticket then
  redis.call('SET', KEYS[8], ticket, 'PX', ARGV[2])
end
return 1
