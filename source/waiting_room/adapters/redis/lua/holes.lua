-- SPDX-License-Identifier: Apache-2.0
-- holes: functions of the scripts that change the known unused positions above the last
-- reconciliation. The field ``known_holes`` of the state is their number.
local function add_hole(position)
  local added = redis.call('ZADD', HOLES, position, position)
  if added > 0 then redis.call('HINCRBY', STATE, 'known_holes', added) end
end
local function remove_holes(through)
  local removed = redis.call('ZREMRANGEBYSCORE', HOLES, '-inf', through)
  if removed > 0 then redis.call('HINCRBY', STATE, 'known_holes', -removed) end
end
