-- ARGV: lease. The unit is nobody's any more; what became of it is known.
release(ARGV[1], parse(ARGV[1]))
