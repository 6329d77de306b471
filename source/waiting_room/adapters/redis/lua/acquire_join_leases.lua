-- SPDX-License-Identifier: Apache-2.0
-- acquire_join_leases: take a lease on each join, for the worker that calls.
-- KEYS 10 hash of this hour   11 hash of the previous hour
-- ARGV 1 now (s)   2 life of a lease (s)   3 token of this call (3 bytes)   4.. short ids
-- result: for each id 0 new, 1 stale, 2 held; LOST when the counters are lost, and leases with them
if not alive() then return LOST end
local now, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local mine, results, seen = struct.pack('>I4', now) .. ARGV[3], {}, {}
for index = 4, #ARGV do
  local id = ARGV[index]
  if not seen[id] then
    local text, at = find_lease(KEYS[10], id)
    local kept, place = text, at
    if not at then kept, place = find_lease(KEYS[11], id) end
    local lease = place and string.sub(kept, place + ID, place + WIDTH - 1)
    local result = 0
    if lease and lease ~= mine then
      result = (now - struct.unpack('>I4', lease) > life) and 1 or 2
    end
    if result < 2 then write_lease(id, mine, text, at) end
    seen[id] = result
  end
  results[#results + 1] = seen[id]
end
redis.call('EXPIRE', KEYS[10], 7200)
return results
