# The API: decodes and queues, never trains, so torch is not installed.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY regrow regrow
COPY core core
COPY api api
COPY worker worker
COPY sweeper sweeper
COPY client client
COPY cli cli
COPY benchmarks benchmarks
RUN pip install --constraint constraints.txt '.[serve]'

RUN useradd --system --create-home regrow
USER regrow
# The compiled decoder is kept here between restarts.
ENV NUMBA_CACHE_DIR=/home/regrow/.cache/numba

# Inside a container, loopback would reach no one. What may connect is decided by the network around it: the compose
# file publishes the port on the host's loopback only.
ENV REGROW_HOST=0.0.0.0 REGROW_PORT=8000 REGROW_BEHIND_PRIVATE_NETWORK=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "regrow.api"]
