-- SPDX-License-Identifier: Apache-2.0
-- end_rebuild: a rebuild that failed lets the next caller try.
-- KEYS 8 whose turn it is
-- ARGV 1 the caller's ticket
-- result: 1
if redis.call('GET', KEYS[8]) == RUN .. ':' .. ARGV[1] then redis.call('DEL', KEYS[8]) end
return 1
