-- SPDX-License-Identifier: Apache-2.0
-- leases: functions of the scripts for leases of joins, packed into the buckets of a hash
-- A bucket is a text of records of 14 bytes: 7 of the request id's hash, 4 for the time (s,
-- big-endian; 0: given back), 3 of the call's token. An argument is a bucket (2 bytes) and the 7.
local WIDTH, ID = 14, 7
local function find_lease(key, argument)
  local text = redis.call('HGET', key, string.sub(argument, 1, 2)) or ''
  local id, at = string.sub(argument, 3), 0
  repeat at = string.find(text, id, at + 1, true) until not at or at % WIDTH == 1
  return text, at
end
local function write_lease(argument, lease, text, at)
  local record = string.sub(argument, 3) .. lease
  text = at and string.sub(text, 1, at - 1) .. record .. string.sub(text, at + WIDTH)
    or text .. record
  redis.call('HSET', KEYS[10], string.sub(argument, 1, 2), text)
end
