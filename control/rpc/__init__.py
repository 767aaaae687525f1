"""The gRPC services, one file a service, and the servers that carry them.

Each call is authenticated, judged by `access.decide`, and handed to what does the work; a refusal
goes back as a status with the whole ApiError in its trailing metadata. No rule about objects
stands here.
"""
