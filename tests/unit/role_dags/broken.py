raise RuntimeError("this one is broken")  # airflow DAG
