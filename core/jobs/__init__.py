"""The job side: what a job is, where it is kept, and the messages that move it."""
