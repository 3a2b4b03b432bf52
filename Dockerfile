# Two images from one file: `web` (pages and routes, without PyTorch) and `worker` (with it).
FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PAVESCOPE_HOME=/data HOME=/tmp
RUN useradd --system --uid 10001 --no-create-home pavescope \
    && install -d -o pavescope -g pavescope /data
WORKDIR /srv/pavescope
# Installed before the sources are copied, so that a change of the code fetches nothing again.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir app jobs db engine \
    && pip install --constraint constraints.txt '.[scale]' \
    && pip uninstall --yes pavescope

FROM base AS worker-base
RUN pip install --constraint constraints.txt '.[engine,scale]' \
    && pip uninstall --yes pavescope

FROM base AS web
COPY engine engine
COPY db db
COPY jobs jobs
COPY app app
RUN pip install --no-deps --editable .
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
CMD ["uvicorn", "app.server:application", "--host", "0.0.0.0", "--port", "8501", "--log-level", "warning"]

FROM worker-base AS worker
# Threads that wait must not spin: other workers of the machine need its cores.
ENV OMP_WAIT_POLICY=PASSIVE
COPY engine engine
COPY db db
COPY jobs jobs
COPY app app
COPY scripts/worker_health.py scripts/worker_health.py
RUN pip install --no-deps --editable .
USER 10001
VOLUME /data
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=4 \
    CMD ["python", "scripts/worker_health.py"]
CMD ["celery", "-A", "jobs.tasks", "worker", "-Q", "short,compute", "--concurrency", "1", "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle"]
