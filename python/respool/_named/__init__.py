"""Caches that are known by a name, to every process of a user.

`names` says what a name may be, `place` where they are, `keys` and `ages` what makes one of them the
wanted one. `home` is the directory of one name with its logs, `lock` who may change it. Above them
are `fill` (get or make), `listing` and `prune`.
"""
