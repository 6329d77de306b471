-- SPDX-License-Identifier: Apache-2.0
-- release_rebuild_lease: after a failed rebuild, let the next caller rebuild.
-- KEYS 9 the current lease
-- ARGV 1 lease id
-- result: 1
if redis.call('GET', KEYS[9]) == RUN .. ':' .. ARGV[1] then redis.call('DEL', KEYS[9]) end
return 1
