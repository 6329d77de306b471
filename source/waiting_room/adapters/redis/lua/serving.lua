-- SPDX-License-Identifier: Apache-2.0
-- serving: the serving counter.
-- result: generation version lowering serving
local kept = redis.call('HMGET', STATE, 'replication_id', 'generation', 'version', 'lowering', 'serving')
if not alive(kept[1]) then return LOST end
for index = 2, 5 do kept[index] = tonumber(kept[index]) or 0 end
return {unpack(kept, 2)}
