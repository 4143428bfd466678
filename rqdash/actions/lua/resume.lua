-- Resumes all workers of RQ. KEYS: the mark of suspension. Answers whether there was one.

return redis.call('UNLINK', KEYS[1])
