"""Why a connection failed or broke, in words that say what is wrong on whose side. Pure of I/O.

`channel` and `link` ask; the sentences end up in front of the person who called, by way of
`api/client/channels`, which knows them by the words "CERTIFICATE_VERIFY_FAILED",
"CERTIFICATE_EXPIRED", "WRONG_VERSION_NUMBER", "ertificate" and "Connection refused": a text that
means something else must not have them.
"""

from __future__ import annotations

import errno
import socket
import ssl

from holdfast.api.transport.http2.frames import Code

CLOSED = "the peer closed the connection"
_EXPIRED, _NOT_YET_VALID, _NAME_MISMATCHES = 10, 9, (62, 64)  # of OpenSSL's X509_V_ERR_…
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE", "HTTP_REQUEST")


def of_connection(error: Exception | None) -> str:
    """Why a connection that stood is gone. None: the peer closed it."""
    if error is None or isinstance(error, ConnectionResetError | BrokenPipeError):
        return CLOSED
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    return f"the connection broke: {error}"


def of_attempt(error: Exception) -> str:
    """Why none could be opened."""
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {error.strerror}"
    if isinstance(error, ConnectionRefusedError) or f"Errno {errno.ECONNREFUSED}]" in str(error):
        return "Connection refused"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if isinstance(error, ValueError):
        return f"no address to connect to: {error}"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return str(error) if type(error) is ConnectionAbortedError else CLOSED
    return str(error) or type(error).__name__


def code_name(code: int) -> str:
    """An HTTP/2 error code in words; unknown ones as numbers."""
    try:
        return Code(code).name
    except ValueError:
        return f"code {code}"


def _of_tls(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if any(word in reason for word in _NOT_TLS):
        return f"it does not speak TLS there (WRONG_VERSION_NUMBER: {reason})"
    if "ALERT" in reason:
        # What a server says to a client it does not take: no certificate, expired, unknown CA…
        return f"the server refused this client's certificate ({reason})"
    return f"the TLS connection failed: {reason}"


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "the server shows a certificate that is over (CERTIFICATE_EXPIRED)"
    if error.verify_code == _NOT_YET_VALID:
        return "what the server shows is not valid yet: is a clock wrong?"
    if error.verify_code in _NAME_MISMATCHES:
        return "the server proves to be another than this address"
    return f"CERTIFICATE_VERIFY_FAILED: {error.verify_message}"
