"""Caches that are known by a name, to every process of a user.

`names` says what a name may be, `place` where they are, `layout` what is what there, `keys` and `ages`
what makes one of them the wanted one. `home` is the directory of one name with its logs, `lock` who may
change it, `in_use` who uses a log, `removal` what takes logs away, `quota` how much there may be and `room` what of
it a new log has, `filling` whose ``fill`` runs and `given` what it gives.
Above them are `hit` and `get` (what is wanted, or a new one) under `fill`, which is what a user calls,
`listing` and `prune`.
"""
