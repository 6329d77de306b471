-- SPDX-License-Identifier: Apache-2.0
-- checkpoint: return the values that a rebuild can start from, and record that they were read.
-- result: generation version settled_through tokens completed abandoned taken ended
--         segments "first:last:at"   expires_at, count, …   position, end of session, …
if not alive() then return LOST end
redis.call('HSET', STATE, 'checkpointed', checkpoint_values())
return {
  number('generation'), number('version'), number('settled_through'), number('tokens'),
  number('completed'), number('abandoned'), redis.call('GET', TAKEN) or '',
  redis.call('GET', ENDED) or '', redis.call('ZRANGE', SERVED, 0, -1),
  redis.call('HGETALL', LIVE_COUNT), redis.call('ZRANGE', SESSIONS, 0, -1, 'WITHSCORES'),
}
