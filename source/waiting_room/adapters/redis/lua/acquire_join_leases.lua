-- SPDX-License-Identifier: Apache-2.0
-- acquire_join_leases: take a lease on each join, for the worker that calls.
-- KEYS 10 hash of this hour   11 hash of the previous hour
-- ARGV 1 now (s)   2 life of a lease (s)   3 token of this call   4.. request ids
-- result: for each id 0 new, 1 stale, 2 held; LOST when the counters are lost, and leases with them
if not alive() then return LOST end
local now, life, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local mine, results, seen = now .. ':' .. token, {}, {}
for index = 4, #ARGV do
  local id = ARGV[index]
  local lease = redis.call('HGET', KEYS[10], id) or redis.call('HGET', KEYS[11], id)
  local result = 0
  if seen[id] then
    result = seen[id]
  elseif lease and lease ~= mine then
    local at = tonumber(string.match(lease, '^(%d+):'))
    result = (now - at > life) and 1 or 2
  end
  if result < 2 then redis.call('HSET', KEYS[10], id, mine) end
  seen[id] = result
  results[#results + 1] = result
end
redis.call('EXPIRE', KEYS[10], 7200)
return results
