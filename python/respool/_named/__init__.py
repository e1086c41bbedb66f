"""Caches that are known by a name, to every process of a user.

`names` says what a name may be, `place` where they are, `layout` what is what there, `keys` and `ages`
what makes one of them the wanted one. `home` is the directory of one name with its logs, `lock` who may
change it, `removal` what takes logs away, `quota` how much there may be, `filling` whose ``fill`` runs.
Above them are `hit` and `get` (what is wanted, or a new one) under `fill`, which is what a user calls,
`listing` and `prune`.
"""
