# A sweeper: looks after jobs and sends webhooks, never trains, so torch is not installed.
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

STOPSIGNAL SIGTERM
CMD ["python", "-m", "regrow.sweeper"]
