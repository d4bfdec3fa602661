-- A third replacement policy.
ALTER TABLE pool DROP CONSTRAINT pool_policy_check;
ALTER TABLE pool ADD CONSTRAINT pool_policy_check CHECK (policy IN ('lru', 'random', 'sieve'));
