"""``make demo``: the example of ``dags_examples/`` from end to end, on local Azure and a real Airflow."""
