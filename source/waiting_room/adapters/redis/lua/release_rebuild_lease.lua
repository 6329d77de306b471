-- SPDX-License-Identifier: Apache-2.0
-- release_rebuild_lease: after a failed rebuild, let the next caller rebuild.
-- KEYS 10 the current lease
-- ARGV 1 lease id
-- result: 1
if redis.call('GET', KEYS[10]) == run_id() .. ':' .. ARGV[1] then redis.call('DEL', KEYS[10]) end
return 1
