"""The example of ``dags_examples/`` from end to end: local Azure, a real Airflow, one scheduled run (``make demo``)."""
