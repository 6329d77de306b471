-- SPDX-License-Identifier: Apache-2.0
-- restore: replace the copy with data of the tables, unless another caller has rebuilt it.
-- The data must have been read after the loss; the lease of acquire_rebuild_lease shows that.
-- KEYS 10 the current lease   11 the leases taken since the loss
-- ARGV 1 lease id   2 taken bitmap   3 ended bitmap   4 number of state pairs
--      5 number of segments   6 number of live pairs   7 number of session pairs
--      8 number of latest segments   9 rate window (s)
--      then state field, value …   segments "first:last:at" …   expires_at, count …
--      end of session (s), position …
--      known unused positions …
-- result: 1 replaced, 0 the copy was complete; LOST when the lease was taken before a loss
if alive() then return 0 end
if redis.call('SISMEMBER', KEYS[11], run_id() .. ':' .. ARGV[1]) == 0 then return LOST end
redis.call('DEL', KEYS[10], KEYS[11])
local pairs_, segments, lives = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local sessions = tonumber(ARGV[7])
redis.call('DEL', STATE, SERVED, HOLES, TAKEN, ENDED, LIVE, LIVE_COUNT, TIMES, SESSIONS)
redis.call('SET', TAKEN, ARGV[2])
redis.call('SET', ENDED, ARGV[3])
local at = 10
for _ = 1, pairs_ do
  redis.call('HSET', STATE, ARGV[at], ARGV[at + 1])
  at = at + 2
end
for _ = 1, segments do
  add_segment(ARGV[at])
  at = at + 1
end
note_segments(ARGV[8], ARGV[9])
for _ = 1, lives do
  redis.call('ZADD', LIVE, ARGV[at], ARGV[at])
  redis.call('HSET', LIVE_COUNT, ARGV[at], ARGV[at + 1])
  at = at + 2
end
for _ = 1, sessions do
  redis.call('ZADD', SESSIONS, ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at <= #ARGV do
  add_hole(ARGV[at])
  at = at + 1
end
note_summary()
redis.call('HSET', STATE, 'replication_id', run_id())
return 1
