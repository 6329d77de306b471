-- SPDX-License-Identifier: Apache-2.0
-- revoke_rebuild_leases: data that was read up to now must not be restored.
-- KEYS 9 the current lease   10 the leases taken since the loss
-- result: 1; 0 when the copy is complete
if alive() then return 0 end
redis.call('DEL', KEYS[9], KEYS[10])
return 1
