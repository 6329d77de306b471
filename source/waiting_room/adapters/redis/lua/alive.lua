-- SPDX-License-Identifier: Apache-2.0
-- alive: precedes every script. Returns whether the copy is complete: built on this server.
-- A server that restarted, loaded a snapshot or became primary has another replication id, also if
-- it was primary before. A replica may lag. The data of each of them may be older than results
-- already returned. An emptied server has no state. All mean LOST.
-- KEYS[1] state hash   KEYS[2] served zset   KEYS[3] holes zset   KEYS[4] taken bitmap
-- KEYS[5] ended bitmap   KEYS[6] live zset   KEYS[7] live counts hash   KEYS[8] served times zset
-- KEYS[9] sessions zset
local STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT, TIMES, SESSIONS = unpack(KEYS, 1, 9)
local LOST = {err = 'LOST the counters are not whole'}
local REPLICATION = redis.call('INFO', 'replication')
-- whether ``replication_id``, a field of the state, is this server; without it, that of the state.
-- A release that derives other fields from the data renames it, so that older copies are LOST.
local function alive(replication_id)
  replication_id = replication_id or redis.call('HGET', STATE, 'replication_id')
  return replication_id and string.find(REPLICATION, 'role:master', 1, true)
    and string.find(REPLICATION, '\nmaster_replid:' .. replication_id .. '\r\n', 1, true)
end
local function run_id() return string.match(REPLICATION, 'master_replid:(%w+)') end
local function number(field) return tonumber(redis.call('HGET', STATE, field)) or 0 end
