-- SPDX-License-Identifier: Apache-2.0
-- apply: update the copy to a state of the event; never to an older one.
-- ARGV 1 generation   2 version   3 queue   4 serving   5 expired_through   6 expired
--      7 reconciled_through   8 holes   9 message   10 message_at
--      11 move "previous:current:at" or ""   12 replace segments (0 or 1)
--      13 version of an announced write that lowers the serving counter or resets the event
--      14 number of latest segments   15 rate window (s)   16 number of segments
--      then segments "first:last:at"
--      then known unused positions
-- result: 1 applied, 0 older generation; LOST when moves before this one are missing
if not alive() then return LOST end
local generation, version = tonumber(ARGV[1]), tonumber(ARGV[2])
local had = number('generation')
if generation < had then return 0 end
if generation > had then
  local noted = {'reconciled_at', number('reconciled_at'), 'swept_at', number('swept_at')}
  redis.call('DEL', STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT, TIMES, SESSIONS)
  redis.call('HSET', STATE, 'replication_id', run_id(), 'generation', generation, unpack(noted))
end
local segments = tonumber(ARGV[16])
if version > number('version') then
  if ARGV[12] == '0' and version > number('version') + 1 then return LOST end
  if ARGV[12] == '1' then
    redis.call('DEL', SERVED, TIMES)
    for index = 17, 16 + segments do add_segment(ARGV[index]) end
  else
    local previous, current, at = string.match(ARGV[11], '(%d+):(%d+):(%d+)')
    previous, current = tonumber(previous), tonumber(current)
    if current > previous then
      add_segment((previous + 1) .. ':' .. current .. ':' .. at)
    elseif current < previous then
      local above = redis.call('ZRANGEBYSCORE', SERVED, '(' .. current, '+inf')
      for _, segment in ipairs(above) do
        local first, _, reached = string.match(segment, '(%d+):(%d+):(%d+)')
        remove_segment(segment)
        if tonumber(first) <= current then
          add_segment(first .. ':' .. current .. ':' .. reached)
        end
      end
    end
  end
  note_segments(ARGV[14], ARGV[15])
  redis.call('HSET', STATE, 'version', version, 'serving', ARGV[4])
  local oldest = redis.call('ZRANGE', SERVED, 0, 0)[1]
  if oldest then redis.call('HSETNX', STATE, 'first_moved_at', string.match(oldest, ':(%d+)$')) end
end
if tonumber(ARGV[13]) > number('lowering') then redis.call('HSET', STATE, 'lowering', ARGV[13]) end
if tonumber(ARGV[3]) > number('queue') then redis.call('HSET', STATE, 'queue', ARGV[3]) end
if tonumber(ARGV[5]) > number('expired_through') then
  redis.call('HSET', STATE, 'expired_through', ARGV[5], 'expired', ARGV[6])
end
if tonumber(ARGV[7]) > number('reconciled_through') then
  redis.call('HSET', STATE, 'reconciled_through', ARGV[7], 'holes', ARGV[8])
  remove_holes(ARGV[7])
end
local message_at = tonumber(redis.call('HGET', STATE, 'message_at')) or 0
if tonumber(ARGV[10]) > message_at then
  redis.call('HSET', STATE, 'message', ARGV[9], 'message_at', ARGV[10])
end
local reconciled_through = number('reconciled_through')
for index = 17 + segments, #ARGV do
  if tonumber(ARGV[index]) > reconciled_through then
    add_hole(ARGV[index])
  end
end
note_summary()
return 1
