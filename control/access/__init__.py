"""Who is it, may it: authentication, authorization, the cluster's authority, join tokens.

The services import `decide` from here and are given `Authenticator.authenticate`. Nothing here
knows what an object means; that is the registry's.
"""

from holdfast.control.access.authentication import Authenticator
from holdfast.control.access.authorization import Decision, decide

__all__ = ["Authenticator", "Decision", "decide"]
