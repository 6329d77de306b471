-- SPDX-License-Identifier: Apache-2.0
-- revoke_rebuild_leases: data that was read up to now must not be restored.
-- KEYS 10 the current lease   11 the leases taken since the loss
-- result: 1; 0 when the copy is complete
if alive() then return 0 end
redis.call('DEL', KEYS[10], KEYS[11])
return 1
