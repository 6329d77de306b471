-- SPDX-License-Identifier: Apache-2.0
-- release_join_leases: make the leases stale: the next worker checks whether a join has a position.
-- KEYS 10 this hour's hash
-- ARGV short ids
for index = 1, #ARGV do
  local text, at = find_lease(KEYS[10], ARGV[index])
  write_lease(ARGV[index], string.rep('\0', WIDTH - ID), text, at)
end
redis.call('EXPIRE', KEYS[10], 7200)
return 1
