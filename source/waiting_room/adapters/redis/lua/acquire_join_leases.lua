-- SPDX-License-Identifier: Apache-2.0
-- claim: note which worker has which joins.
-- KEYS 8 this hour's hash   9 the hour's before
-- ARGV 1 now (s)   2 life of a claim (s)   3 this call's token   4.. request ids
-- result: LOST, as nobody knows then who had what; else one of 0 fresh, 1 check, 2 busy for each id
if not alive() then return LOST end
local now, life, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local mine, answers, said = now .. ':' .. token, {}, {}
for index = 4, #ARGV do
  local id = ARGV[index]
  local claim = redis.call('HGET', KEYS[8], id) or redis.call('HGET', KEYS[9], id)
  local answer = 0
  if said[id] then
    answer = said[id]
  elseif claim and claim ~= mine then
    local at = tonumber(string.match(claim, '^(%d+):'))
    answer = (now - at > life) and 1 or 2
  end
  if answer < 2 then redis.call('HSET', KEYS[8], id, mine) end
  said[id] = answer
  answers[#answers + 1] = answer
end
redis.call('EXPIRE', KEYS[8], 7200)
return answers
