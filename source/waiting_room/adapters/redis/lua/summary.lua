-- SPDX-License-Identifier: Apache-2.0
-- summary: function of the scripts that change what its fields contain, to be called after the last
-- change. The field ``summary`` of the state is the part of the counts that a reader only passes on:
-- the numbers with spaces between, a line feed, the message. A server that refuses writes may still
-- respond to a call that changes nothing, so the same summary is not written again.
local function note_summary()
  local kept = redis.call('HMGET', STATE, 'generation', 'queue', 'serving', 'holes', 'expired',
    'version', 'lowering', 'reconciled_at', 'swept_at', 'first_moved_at', 'known_holes', 'message',
    'summary')
  for index = 1, 11 do kept[index] = kept[index] or '0' end
  kept[4] = string.format('%d', kept[4] + kept[11])
  local summary = table.concat(kept, ' ', 1, 10) .. '\n' .. (kept[12] or '')
  if summary ~= kept[13] then redis.call('HSET', STATE, 'summary', summary) end
end
