"""What the verbs of ``airflow batchad`` do; ``cli.py`` says how they are called."""
