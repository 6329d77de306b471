-- SPDX-License-Identifier: Apache-2.0
-- count_token: count a token and its session at a gate; idempotent.
-- ARGV 1 generation   2 position   3 expires_at (s)   4 end of the session (s; 0: none)
-- result: 1; 0 when the token is of an older generation
if not alive() then return LOST end
local generation = number('generation')
if tonumber(ARGV[1]) < generation then return 0 end
if tonumber(ARGV[1]) > generation then return LOST end
count_token(tonumber(ARGV[2]), ARGV[3])
mark_session(tonumber(ARGV[2]), ARGV[4])
return 1
