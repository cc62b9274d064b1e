"""The sweeper: a process that looks after jobs whose workers are gone, and sends webhooks."""
