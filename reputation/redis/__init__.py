"""A store in Redis or Valkey, shared by several machines."""

from reputation.redis.server import Server
from reputation.redis.store import RedisStore

__all__ = ["RedisStore", "Server"]
