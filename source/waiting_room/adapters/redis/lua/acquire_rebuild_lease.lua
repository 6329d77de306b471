-- SPDX-License-Identifier: Apache-2.0
-- acquire_rebuild_lease: let one caller at a time read the tables, after the loss.
-- KEYS 10 the current lease   11 the leases taken since the loss
-- ARGV 1 lease id   2 life of a lease (ms)   3 discard the present copy (0 or 1)
-- result: 0 the copy is complete, 1 the caller rebuilds, 2 another caller does
if alive() then
  if ARGV[3] == '0' then return 0 end
  redis.call('HDEL', STATE, 'replication_id')
  redis.call('DEL', KEYS[10], KEYS[11])
end
local run = run_id()
local held, lease = redis.call('GET', KEYS[10]), run .. ':' .. ARGV[1]
if held and held ~= lease and string.sub(held, 1, #run) == run then return 2 end
redis.call('SET', KEYS[10], lease, 'PX', ARGV[2])
redis.call('SADD', KEYS[11], lease)
return 1
