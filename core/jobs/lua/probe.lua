-- Whether Redis takes a write, and from a script. It leaves a key that is gone within a minute.
redis.call('SET', 'regrow:probe', 1, 'EX', 60)
