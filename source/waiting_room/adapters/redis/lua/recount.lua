-- SPDX-License-Identifier: Apache-2.0
-- recount: count token rows, read after a rebuild, that the copy does not contain yet.
-- ARGV 1 generation   2 position up to which rows are still unread
--      then position, expires_at (s), "" or completed or abandoned, end of the session (s) …
-- result: 1; 0 when the rows are of an older generation
if not alive() then return LOST end
local generation = number('generation')
if tonumber(ARGV[1]) < generation then return 0 end
if tonumber(ARGV[1]) > generation then return LOST end
for index = 3, #ARGV, 4 do
  local position = tonumber(ARGV[index])
  if ARGV[index + 2] == '' then
    count_token(position, ARGV[index + 1])
    mark_session(position, ARGV[index + 3])
  else
    count_session(position, ARGV[index + 1], ARGV[index + 2])
  end
end
if tonumber(ARGV[2]) < number('unverified') then redis.call('HSET', STATE, 'unverified', ARGV[2]) end
return 1
