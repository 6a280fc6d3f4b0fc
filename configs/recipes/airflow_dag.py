"""A pass of anomvae every quarter of an hour, for the DAG folder of Airflow 2.7 or later.

A repeated pass does nothing twice, so any number of retries is safe.  Exit code 6 means that
another pass is at work: the task is skipped.
"""

from datetime import datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator  # Airflow 3
except ImportError:
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id="anomvae",
    schedule=timedelta(minutes=15),
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
) as dag:
    BashOperator(
        task_id="monitor_run",
        bash_command="/opt/anomvae/bin/anomvae monitor run /srv/watch/watch.toml",
        skip_on_exit_code=6,
        env={"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        append_env=True,
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
