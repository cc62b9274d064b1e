-- ARGV: JSON of id, owner, created_ms, start_deadline_ms (0: none), patches, fields (texts), done and missing (lists of
-- [start, stop]; a new job has neither), most_owned, most_in_all (0: no limit), protocol.
-- 1: entered; 0: there is such an open job; -1, -2: too many patches outstanding, of the owner, in all.
local job = cjson.decode(ARGV[1])
local id, key = job.id, job_key(job.id)
if is_open(redis.call('HGET', key, 'state')) then return 0 end

local function outstanding(field) return tonumber(redis.call('HGET', KEY.OUTSTANDING, field) or 0) end
if job.most_owned > 0 and outstanding(job.owner) + job.patches > job.most_owned then return -1 end
if job.most_in_all > 0 and outstanding('*') + job.patches > job.most_in_all then return -2 end

-- Lowered only where no job of a later protocol is left, for workers of this one to take.
local protocol = tonumber(redis.call('GET', KEY.PROTOCOL) or 0)
if protocol <= job.protocol or redis.call('EXISTS', KEY.OPEN) == 0 then
  redis.call('SET', KEY.PROTOCOL, job.protocol)
end
local again = redis.call('EXISTS', key) == 1
if again then  -- a retry: who works on it still does so for nothing
  for _, set in ipairs({KEY.LEASES, KEY.SENT}) do
    for _, lease in ipairs(redis.call('ZRANGE', set, 0, -1)) do
      local unit = parse(lease)
      if unit.id == id then release(lease, unit) end
    end
  end
end
redis.call('DEL', key, done_key(id), again_key(id))
for name, value in pairs(job.fields) do redis.call('HSET', key, name, value) end
local done = 0
for _, range in ipairs(job.done) do
  for patch = range[1], range[2] - 1 do done = done + 1 - redis.call('SETBIT', done_key(id), patch, 1) end
end
for _, range in ipairs(job.missing) do
  redis.call('RPUSH', again_key(id), fresh('fit', range[1], range[2]))
end
local restored = #job.done > 0
local state = 'queued'
if restored then state = 'fitting' end
if done == job.patches then
  state = 'assembling'
  redis.call('RPUSH', again_key(id), fresh('assemble', 0, 0))
end
redis.call('HSET', key, 'next', restored and job.patches or 0, 'patches_done', done)
move(id, state)
owe(job.owner, job.patches - done)
redis.call('ZADD', KEY.JOBS, job.created_ms, id)
redis.call('ZADD', owned_key(job.owner), job.created_ms, id)
if job.start_deadline_ms > 0 and state == 'queued' then
  redis.call('ZADD', KEY.START_DEADLINES, job.start_deadline_ms, id)
end
offer(id)
if again then tell(id, state, done) end  -- of a new job, nobody can know yet
redis.call('PERSIST', events_key(id))
return 1
