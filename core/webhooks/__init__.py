"""Webhooks by the Standard Webhooks specification (https://www.standardwebhooks.com).

They know nothing of jobs: somebody calls `Deliveries.enqueue`, and a `Dispatcher` sends what is due.
"""
