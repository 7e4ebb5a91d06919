"""Which builds are kept, and for how long.

`policy`, `rules`, `bounds`, `room` and `sentence` are plain logic that knows nothing of the database; `candidates` asks
it, `plan` says what would go (the dry run), `expiry` has it go. All of them go by the same rules, and each build is
held against them once more under its own lock before it goes.
"""
