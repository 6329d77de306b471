-- SPDX-License-Identifier: Apache-2.0
-- discard: let the copy of a deleted event end, unless the id is used again.
-- All keys end at the same moment. A later generation deletes and writes them without an end.
-- KEYS 10 the current rebuild lease   11 the leases taken since a loss
-- ARGV 1 generation of the deleted event   2 seconds until the end
-- result: 1 the copy ends, 0 it belongs to a later generation
if number('generation') > tonumber(ARGV[1]) then return 0 end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[2]) end
return 1
