-- SPDX-License-Identifier: Apache-2.0
-- waiting: the counts of which the waiting number is made.
-- result: generation version lowering queue holes tokens expired
local kept = redis.call('HMGET', STATE, 'replication_id', 'generation', 'version', 'lowering', 'queue', 'holes',
  'tokens', 'expired', 'known_holes')
if not alive(kept[1]) then return LOST end
for index = 2, 9 do kept[index] = tonumber(kept[index]) or 0 end
kept[6] = kept[6] + kept[9]
return {unpack(kept, 2, 8)}
