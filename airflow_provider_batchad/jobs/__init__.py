"""The Batch job as plain data: what it is, how it is called, how it is submitted, how it ended.

Nothing here does I/O. What has to be asked of the Batch service is *yielded* as a
:class:`~airflow_provider_batchad.jobs.rest.BatchRequest`, so that the same steps run sync on a worker
and async in the triggerer, and stop at any request in a test.
"""
