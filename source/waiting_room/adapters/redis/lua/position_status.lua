-- SPDX-License-Identifier: Apache-2.0
-- position_status: status of one position.
-- ARGV 1 position
-- result: generation serving expired_through served_at (-1: not served) counted (0 or 1) version
--         lowering
if not alive() then return LOST end
local position, at = tonumber(ARGV[1]), -1
local segment = redis.call('ZRANGEBYSCORE', SERVED, position, '+inf', 'LIMIT', 0, 1)[1]
if segment then
  local first, _, reached = string.match(segment, '(%d+):(%d+):(%d+)')
  if tonumber(first) <= position then at = tonumber(reached) end
end
local counted = redis.call('GETBIT', TAKEN, position)
if position <= number('settled_through') then counted = 1 end
return {
  number('generation'), number('serving'), number('expired_through'), at, counted,
  number('version'), number('lowering'),
}
