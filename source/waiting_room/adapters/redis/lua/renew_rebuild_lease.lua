-- SPDX-License-Identifier: Apache-2.0
-- renew_rebuild_lease: extend a lease while the caller still reads the tables.
-- KEYS 10 the current lease   11 the leases taken since the loss
-- ARGV 1 lease id   2 life of a lease (ms)
-- result: 1; LOST when the lease was taken before a loss, or another caller has rebuilt
local lease = run_id() .. ':' .. ARGV[1]
if alive() or redis.call('SISMEMBER', KEYS[11], lease) == 0 then return LOST end
if (redis.call('GET', KEYS[10]) or lease) == lease then
  redis.call('SET', KEYS[10], lease, 'PX', ARGV[2])
end
return 1
