-- Whether Redis takes a write, and from a script. It leaves a key that is gone within a minute.
redis.call('SET', KEY.PROBE, 1, 'EX', 60)
