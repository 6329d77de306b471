-- SPDX-License-Identifier: Apache-2.0
-- release_join_leases: make the leases stale: the next worker checks whether a join has a position.
-- KEYS 10 this hour's hash
-- ARGV request ids
for index = 1, #ARGV do redis.call('HSET', KEYS[10], ARGV[index], '0:') end
redis.call('EXPIRE', KEYS[10], 7200)
return 1
